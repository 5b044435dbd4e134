"""What a person does with the link or code of a mail."""
