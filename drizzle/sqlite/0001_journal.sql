CREATE TABLE `journal` (
	`entry_id` integer PRIMARY KEY NOT NULL,
	`sealed` blob NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `lookup_progress` (
	`one` integer PRIMARY KEY NOT NULL,
	`entered_until` integer NOT NULL,
	CONSTRAINT "lookup_progress_single" CHECK(one = 1)
) STRICT;
--> statement-breakpoint
CREATE TABLE `lookups` (
	`bucket` integer NOT NULL,
	`hash` blob NOT NULL,
	`row_id` integer NOT NULL,
	PRIMARY KEY(`bucket`, `hash`, `row_id`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
DROP INDEX `deliveries_by_token`;--> statement-breakpoint
DROP INDEX `deliveries_by_subject`;--> statement-breakpoint
-- What is in the log already is entered a thousand rows at a time while the service runs.
INSERT INTO `lookup_progress` (`one`, `entered_until`) VALUES (1, 0);
