"""Who somebody is, and how the site makes sure of it: sessions, passwords, guessing, one-time addresses."""
