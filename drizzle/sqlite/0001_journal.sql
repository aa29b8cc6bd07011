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
INSERT INTO `lookups` (`bucket`, `hash`, `row_id`)
SELECT row_id >> 14, hash, row_id FROM (
	SELECT row_id, token_hash AS hash FROM deliveries
	UNION ALL
	SELECT row_id, subject_hash FROM deliveries WHERE subject_hash IS NOT NULL)
ORDER BY 1, 2;
--> statement-breakpoint
INSERT INTO `lookup_progress` (`one`, `entered_until`) SELECT 1, coalesce(max(row_id), 0) FROM deliveries;
