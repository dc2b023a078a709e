"""The dispatch bot without an account: a stand-in for Telegram, a page with the chats, a button that kills the bot."""
