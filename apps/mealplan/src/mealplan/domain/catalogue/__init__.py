"""The cook's knowledge: ingredients, dinners, and how things are cooked. Plain tables, nothing is computed here."""
