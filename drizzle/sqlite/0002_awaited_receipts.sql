CREATE TABLE `awaited_receipts` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`accepted_at_ms` integer NOT NULL,
	`until_ms` integer NOT NULL,
	`token_sha256` text NOT NULL,
	`subject_sha256` text,
	FOREIGN KEY (`row_id`) REFERENCES `deliveries`(`row_id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
CREATE INDEX `awaited_receipts_by_end` ON `awaited_receipts` (`until_ms`);