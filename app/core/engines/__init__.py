"""The engines of the database: their options, the pool for MySQL, the settings of SQLite."""
