CREATE TABLE `schema` (
	`min_reader` integer PRIMARY KEY NOT NULL
) STRICT;
