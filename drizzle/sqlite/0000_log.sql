CREATE TABLE `attempts` (
	`row_id` integer NOT NULL,
	`number` integer NOT NULL,
	`started_at_ms` integer NOT NULL,
	`latency_ms` integer NOT NULL,
	`outcome` integer NOT NULL,
	`reason` text,
	`prefix_id` integer,
	`message_id` any,
	PRIMARY KEY(`row_id`, `number`),
	FOREIGN KEY (`row_id`) REFERENCES `deliveries`(`row_id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`prefix_id`) REFERENCES `message_prefixes`(`prefix_id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "attempts_outcome_known" CHECK(outcome BETWEEN 0 AND 4)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `deliveries` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`id` blob NOT NULL,
	`app` text NOT NULL,
	`platform` integer NOT NULL,
	`provider` integer NOT NULL,
	`type` text NOT NULL,
	`status` integer NOT NULL,
	`reason` text,
	`token_hash` blob NOT NULL,
	`subject_hash` blob,
	`received_at_ms` integer NOT NULL,
	`expires_at_ms` integer,
	`settled_at_ms` integer,
	`answered_at_ms` integer,
	CONSTRAINT "deliveries_status_known" CHECK(status BETWEEN 0 AND 5),
	CONSTRAINT "deliveries_settled_or_open" CHECK((status = 0) = (settled_at_ms IS NULL))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `deliveries_by_id` ON `deliveries` (`id`);--> statement-breakpoint
CREATE INDEX `deliveries_by_token` ON `deliveries` (`token_hash`);--> statement-breakpoint
CREATE INDEX `deliveries_by_subject` ON `deliveries` (`subject_hash`) WHERE subject_hash IS NOT NULL;--> statement-breakpoint
CREATE INDEX `deliveries_by_receipt` ON `deliveries` (`received_at_ms`);--> statement-breakpoint
CREATE INDEX `deliveries_failed` ON `deliveries` (`status`) WHERE status > 1;--> statement-breakpoint
CREATE TABLE `device_count` (
	`one` integer PRIMARY KEY NOT NULL,
	`total` integer NOT NULL,
	CONSTRAINT "device_count_single" CHECK(one = 1)
) STRICT;
--> statement-breakpoint
CREATE TABLE `device_secrets` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`sealed` blob NOT NULL,
	FOREIGN KEY (`row_id`) REFERENCES `devices`(`row_id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
CREATE TABLE `devices` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`id` blob NOT NULL,
	`app` text NOT NULL,
	`platform` integer NOT NULL,
	`registrar` integer NOT NULL,
	`token_hash` blob NOT NULL,
	`user_hash` blob,
	`identity_hash` blob NOT NULL,
	`created_at_ms` integer NOT NULL,
	`seen_at_ms` integer NOT NULL,
	`dead_since_ms` integer,
	CONSTRAINT "devices_registrar_known" CHECK(registrar BETWEEN 0 AND 2)
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `devices_by_id` ON `devices` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `devices_by_identity` ON `devices` (`identity_hash`) WHERE registrar = 0;--> statement-breakpoint
CREATE INDEX `devices_by_token` ON `devices` (`token_hash`);--> statement-breakpoint
CREATE INDEX `devices_by_user` ON `devices` (`user_hash`) WHERE user_hash IS NOT NULL;--> statement-breakpoint
CREATE INDEX `devices_by_death` ON `devices` (`dead_since_ms`) WHERE dead_since_ms IS NOT NULL;--> statement-breakpoint
CREATE INDEX `devices_by_sight` ON `devices` (`seen_at_ms`);--> statement-breakpoint
CREATE TABLE `duplicate_keys` (
	`key_hash` blob PRIMARY KEY NOT NULL,
	`delivery_id` blob NOT NULL,
	`expires_at_ms` integer NOT NULL
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `duplicate_keys_by_end` ON `duplicate_keys` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `handles` (
	`handle_hash` blob PRIMARY KEY NOT NULL,
	`device_row_id` integer NOT NULL,
	`door` text NOT NULL,
	FOREIGN KEY (`device_row_id`) REFERENCES `devices`(`row_id`) ON UPDATE no action ON DELETE cascade
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `handles_by_device` ON `handles` (`device_row_id`);--> statement-breakpoint
CREATE TABLE `message_prefixes` (
	`prefix_id` integer PRIMARY KEY NOT NULL,
	`prefix` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `message_prefixes_prefix_unique` ON `message_prefixes` (`prefix`);--> statement-breakpoint
CREATE TABLE `probes` (
	`probe_id` integer PRIMARY KEY NOT NULL,
	`filler` blob NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `quarantine` (
	`token_hash` blob PRIMARY KEY NOT NULL,
	`app` text NOT NULL,
	`provider` integer NOT NULL,
	`kind` integer NOT NULL,
	`reason` text NOT NULL,
	`since_ms` integer NOT NULL,
	`until_ms` integer NOT NULL,
	`provider_since_ms` integer
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `quarantine_by_start` ON `quarantine` (`since_ms`);--> statement-breakpoint
CREATE INDEX `quarantine_by_end` ON `quarantine` (`until_ms`);--> statement-breakpoint
CREATE TABLE `queue` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`app` text NOT NULL,
	`provider` integer NOT NULL,
	`due_at_ms` integer NOT NULL,
	`lease_owner` text,
	`lease_until_ms` integer,
	`lifetime_ms` integer NOT NULL,
	`key_hash` blob,
	`device_id` blob,
	FOREIGN KEY (`row_id`) REFERENCES `deliveries`(`row_id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "queue_lease_whole" CHECK((lease_owner IS NULL) = (lease_until_ms IS NULL))
) STRICT;
--> statement-breakpoint
CREATE INDEX `queue_by_device` ON `queue` (`device_id`) WHERE device_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `queue_waiting` ON `queue` (`app`,`provider`,`due_at_ms`) WHERE lease_until_ms IS NULL;--> statement-breakpoint
CREATE INDEX `queue_leased` ON `queue` (`app`,`provider`,`lease_until_ms`) WHERE lease_until_ms IS NOT NULL;--> statement-breakpoint
CREATE TABLE `secrets` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`sealed` blob NOT NULL,
	FOREIGN KEY (`row_id`) REFERENCES `deliveries`(`row_id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
CREATE TABLE `used_signatures` (
	`key_hash` blob PRIMARY KEY NOT NULL,
	`expires_at_ms` integer NOT NULL
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `used_signatures_by_end` ON `used_signatures` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `vault` (
	`one` integer PRIMARY KEY NOT NULL,
	`key_id` blob NOT NULL,
	`lookup_key` blob NOT NULL,
	CONSTRAINT "vault_single" CHECK(one = 1)
) STRICT;
--> statement-breakpoint
INSERT INTO `device_count` (`one`, `total`) VALUES (1, 0);--> statement-breakpoint
CREATE TRIGGER `devices_added` AFTER INSERT ON `devices` BEGIN
	UPDATE `device_count` SET `total` = `total` + 1;
END;--> statement-breakpoint
CREATE TRIGGER `devices_deleted` AFTER DELETE ON `devices` BEGIN
	UPDATE `device_count` SET `total` = `total` - 1;
END;
--> statement-breakpoint
-- For the operator with the sqlite3 shell: SELECT * FROM delivery_log ORDER BY row_id DESC LIMIT 20;
CREATE VIEW `delivery_log` AS
SELECT
	d.row_id,
	lower(substr(hex(d.id), 1, 8) || '-' || substr(hex(d.id), 9, 4) || '-' || substr(hex(d.id), 13, 4)
		|| '-' || substr(hex(d.id), 17, 4) || '-' || substr(hex(d.id), 21)) AS id,
	strftime('%Y-%m-%dT%H:%M:%fZ', d.received_at_ms / 1000.0, 'unixepoch') AS received_at,
	d.app,
	CASE d.platform WHEN 0 THEN 'ios' WHEN 1 THEN 'android' END AS platform,
	CASE d.provider WHEN 0 THEN 'apns' WHEN 1 THEN 'fcm' END AS provider,
	d.type,
	CASE d.status WHEN 0 THEN 'queued' WHEN 1 THEN 'delivered' WHEN 2 THEN 'unregistered'
		WHEN 3 THEN 'rejected' WHEN 4 THEN 'misconfigured' WHEN 5 THEN 'expired' END AS status,
	d.reason,
	d.settled_at_ms - d.received_at_ms AS settled_after_ms,
	d.answered_at_ms - d.received_at_ms AS answered_after_ms,
	lower(hex(d.token_hash)) AS token_hash,
	lower(hex(d.subject_hash)) AS subject_hash,
	a.number AS attempt,
	a.started_at_ms - d.received_at_ms AS started_after_ms,
	a.latency_ms,
	CASE a.outcome WHEN 0 THEN 'delivered' WHEN 1 THEN 'retry' WHEN 2 THEN 'unregistered'
		WHEN 3 THEN 'rejected' WHEN 4 THEN 'misconfigured' END AS outcome,
	a.reason AS attempt_reason,
	CASE typeof(a.message_id)
		WHEN 'blob' THEN lower(substr(hex(a.message_id), 1, 8) || '-' || substr(hex(a.message_id), 9, 4)
			|| '-' || substr(hex(a.message_id), 13, 4) || '-' || substr(hex(a.message_id), 17, 4)
			|| '-' || substr(hex(a.message_id), 21))
		ELSE coalesce(p.prefix, '') || a.message_id END AS message_id
FROM deliveries d
LEFT JOIN attempts a ON a.row_id = d.row_id
LEFT JOIN message_prefixes p ON p.prefix_id = a.prefix_id;
