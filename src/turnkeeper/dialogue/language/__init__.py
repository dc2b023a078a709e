"""What is true of English text messages whatever an application is about: words, typos, courtesy, weekdays, templates."""
