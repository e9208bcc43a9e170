"""All PostgreSQL: a module per table group, SQL as constants above the function that runs it."""
