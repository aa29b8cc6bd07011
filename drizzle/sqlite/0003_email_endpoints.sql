CREATE TABLE `digest_counts` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`endpoint_id` text NOT NULL,
	`type` text NOT NULL,
	`app` text NOT NULL,
	`reason` text NOT NULL,
	`count` integer NOT NULL,
	`from_ms` integer NOT NULL,
	`to_ms` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `digest_counts_by_kind` ON `digest_counts` (`endpoint_id`,`type`,`app`,`reason`);--> statement-breakpoint
ALTER TABLE `endpoints` ADD `digest` text;--> statement-breakpoint
CREATE INDEX `events_to_alert` ON `events` (`row_id`) WHERE type IN ('provider.down', 'provider.misconfigured', 'endpoint.disabled');