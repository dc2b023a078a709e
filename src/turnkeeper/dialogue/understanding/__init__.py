"""How a text is understood: intents, their phrases and slots, answers to a question, and how well each fits."""
