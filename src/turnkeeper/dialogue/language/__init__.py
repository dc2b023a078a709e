"""What is true of English text messages whatever they are about: words, typos, courtesy, weekdays, templates."""
