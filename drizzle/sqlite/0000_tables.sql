CREATE TABLE `attempts` (
	`row_id` integer NOT NULL,
	`number` integer NOT NULL,
	`started_at_ms` integer NOT NULL,
	`latency_ms` integer NOT NULL,
	`outcome` text NOT NULL,
	`reason` text,
	`message_id` text,
	PRIMARY KEY(`row_id`, `number`),
	FOREIGN KEY (`row_id`) REFERENCES `deliveries`(`row_id`) ON UPDATE no action ON DELETE cascade
) STRICT, WITHOUT ROWID;
CREATE TABLE `deliveries` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`received_at_ms` integer NOT NULL,
	`status` text NOT NULL,
	`reason` text,
	`app` text NOT NULL,
	`platform` text NOT NULL,
	`provider` text NOT NULL,
	`type` text NOT NULL,
	`device_id` text,
	`token_hash` text NOT NULL,
	`subject_hash` text,
	`lifetime_ms` integer NOT NULL,
	`attempts` integer NOT NULL,
	`settled_at_ms` integer,
	`answered_at_ms` integer,
	`door` text,
	`source` text,
	`request_id` text,
	`told` text,
	`told_status` integer,
	`told_at_ms` integer,
	`repeats` integer NOT NULL,
	`repeated_at_ms` integer,
	`renewed_at_ms` integer,
	CONSTRAINT "deliveries_status_known" CHECK(status IN ('queued', 'delivered', 'unregistered', 'rejected', 'misconfigured', 'expired')),
	CONSTRAINT "deliveries_settled_or_open" CHECK((status = 'queued') = (settled_at_ms IS NULL))
) STRICT;
CREATE UNIQUE INDEX `deliveries_by_id` ON `deliveries` (`id`);
CREATE INDEX `deliveries_by_token` ON `deliveries` (`token_hash`);
CREATE INDEX `deliveries_by_device` ON `deliveries` (`device_id`) WHERE device_id IS NOT NULL;
CREATE INDEX `deliveries_by_request` ON `deliveries` (`request_id`) WHERE request_id IS NOT NULL;
CREATE INDEX `deliveries_by_subject` ON `deliveries` (`subject_hash`) WHERE subject_hash IS NOT NULL;
CREATE INDEX `deliveries_failed` ON `deliveries` (`status`) WHERE status NOT IN ('queued', 'delivered');
CREATE TABLE `duplicate_keys` (
	`key_hash` text PRIMARY KEY NOT NULL,
	`delivery_id` text NOT NULL,
	`expires_at_ms` integer NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX `duplicate_keys_by_end` ON `duplicate_keys` (`expires_at_ms`);
CREATE TABLE `gaps` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`began_at_ms` integer NOT NULL,
	`ended_at_ms` integer,
	`unlogged` integer NOT NULL,
	CONSTRAINT "gaps_kind_known" CHECK(kind IN ('stopped', 'store'))
) STRICT;
CREATE INDEX `gaps_by_start` ON `gaps` (`began_at_ms`);
CREATE TABLE `meta` (
	`name` text PRIMARY KEY NOT NULL,
	`value` blob NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE `outages` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`app` text NOT NULL,
	`provider` text NOT NULL,
	`reason` text NOT NULL,
	`began_at_ms` integer NOT NULL,
	`ended_at_ms` integer
) STRICT;
CREATE INDEX `outages_by_start` ON `outages` (`began_at_ms`);
CREATE TABLE `quarantine` (
	`token_hash` text PRIMARY KEY NOT NULL,
	`app` text NOT NULL,
	`provider` text NOT NULL,
	`kind` text NOT NULL,
	`reason` text NOT NULL,
	`since_ms` integer NOT NULL,
	`until_ms` integer NOT NULL,
	`provider_since_ms` integer
) STRICT, WITHOUT ROWID;
CREATE INDEX `quarantine_by_start` ON `quarantine` (`since_ms`);
CREATE INDEX `quarantine_by_end` ON `quarantine` (`until_ms`);
CREATE TABLE `queue` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`app` text NOT NULL,
	`provider` text NOT NULL,
	`device_id` text,
	`sealed` blob NOT NULL,
	`due_at_ms` integer NOT NULL,
	`not_before_ms` integer,
	`tried_at_ms` integer,
	`useful_until_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`race` integer NOT NULL,
	`unanswered` integer NOT NULL,
	`interrupted` integer NOT NULL,
	`lease_owner` text,
	`lease_until_ms` integer,
	`key_hash` text,
	`ready_at_ms` integer GENERATED ALWAYS AS (max(due_at_ms, coalesce(not_before_ms, 0), coalesce(lease_until_ms, 0))) VIRTUAL NOT NULL,
	FOREIGN KEY (`row_id`) REFERENCES `deliveries`(`row_id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "queue_lease_whole" CHECK((lease_owner IS NULL) = (lease_until_ms IS NULL))
) STRICT;
CREATE INDEX `queue_by_readiness` ON `queue` (`app`,`provider`,`ready_at_ms`);
CREATE INDEX `queue_by_useful_life` ON `queue` (`app`,`provider`,`useful_until_ms`) WHERE lease_owner IS NULL;
CREATE INDEX `queue_by_device` ON `queue` (`device_id`) WHERE device_id IS NOT NULL;
CREATE TABLE `refusals` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL,
	`last_at_ms` integer NOT NULL,
	`count` integer NOT NULL,
	`request_id` text,
	`door` text NOT NULL,
	`source` text,
	`app` text,
	`code` text NOT NULL,
	`status` integer NOT NULL,
	`limit_name` text,
	`token_hash` text,
	`handle_hash` text,
	`subject_hash` text,
	`device_id` text,
	`fields` text,
	`node_id` text,
	`address_hash` text,
	`delivery_id` text,
	`known` integer NOT NULL
) STRICT;
CREATE INDEX `refusals_by_token` ON `refusals` (`token_hash`) WHERE token_hash IS NOT NULL;
CREATE INDEX `refusals_by_handle` ON `refusals` (`handle_hash`) WHERE handle_hash IS NOT NULL;
CREATE INDEX `refusals_by_subject` ON `refusals` (`subject_hash`) WHERE subject_hash IS NOT NULL;
CREATE INDEX `refusals_by_device` ON `refusals` (`device_id`) WHERE device_id IS NOT NULL;
CREATE INDEX `refusals_by_request` ON `refusals` (`request_id`) WHERE request_id IS NOT NULL;
CREATE INDEX `refusals_by_delivery` ON `refusals` (`delivery_id`) WHERE delivery_id IS NOT NULL;
CREATE INDEX `refusals_by_kind` ON `refusals` (`door`,`code`,`at_ms`);
CREATE INDEX `refusals_of_strangers` ON `refusals` (`at_ms`) WHERE known = 0;
CREATE TABLE `schema` (
	`min_reader` integer PRIMARY KEY NOT NULL
) STRICT;
CREATE TABLE `devices` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`app` text NOT NULL,
	`platform` text NOT NULL,
	`registrar` text NOT NULL,
	`token_hash` text NOT NULL,
	`user_hash` text,
	`identity_hash` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`seen_at_ms` integer NOT NULL,
	`dead_since_ms` integer,
	`sealed` blob NOT NULL,
	CONSTRAINT "devices_registrar_known" CHECK(registrar IN ('backend', 'app', 'self'))
) STRICT;
CREATE UNIQUE INDEX `devices_by_id` ON `devices` (`id`);
CREATE UNIQUE INDEX `devices_by_identity` ON `devices` (`identity_hash`) WHERE registrar = 'backend';
CREATE INDEX `devices_by_token` ON `devices` (`token_hash`);
CREATE INDEX `devices_by_user` ON `devices` (`user_hash`) WHERE user_hash IS NOT NULL;
CREATE INDEX `devices_by_death` ON `devices` (`dead_since_ms`) WHERE dead_since_ms IS NOT NULL;
CREATE INDEX `devices_by_sight` ON `devices` (`seen_at_ms`);
CREATE TABLE `handles` (
	`handle_hash` text PRIMARY KEY NOT NULL,
	`device_row_id` integer NOT NULL,
	`door` text NOT NULL,
	FOREIGN KEY (`device_row_id`) REFERENCES `devices`(`row_id`) ON UPDATE no action ON DELETE cascade
) STRICT, WITHOUT ROWID;
CREATE INDEX `handles_by_device` ON `handles` (`device_row_id`);
CREATE TABLE `used_signatures` (
	`key_hash` text PRIMARY KEY NOT NULL,
	`expires_at_ms` integer NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX `used_signatures_by_end` ON `used_signatures` (`expires_at_ms`);
CREATE TABLE `awaited_receipts` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`accepted_at_ms` integer NOT NULL,
	`until_ms` integer NOT NULL,
	`token_sha256` text NOT NULL,
	`subject_sha256` text,
	FOREIGN KEY (`row_id`) REFERENCES `deliveries`(`row_id`) ON UPDATE no action ON DELETE cascade
) STRICT;
CREATE INDEX `awaited_receipts_by_end` ON `awaited_receipts` (`until_ms`);
CREATE TABLE `receipts` (
	`row_id` integer NOT NULL,
	`number` integer NOT NULL,
	`received_at_ms` integer NOT NULL,
	`stage` text NOT NULL,
	`n` integer NOT NULL,
	`since_arrival_ms` integer,
	`why` text,
	`shown` integer,
	`priority` text,
	`original_priority` text,
	PRIMARY KEY(`row_id`, `number`),
	FOREIGN KEY (`row_id`) REFERENCES `deliveries`(`row_id`) ON UPDATE no action ON DELETE cascade
) STRICT, WITHOUT ROWID;
CREATE TABLE `wake_histories` (
	`token_hash` text PRIMARY KEY NOT NULL,
	`app` text NOT NULL,
	`platform` text NOT NULL,
	`pushes` integer NOT NULL,
	`recent` text NOT NULL,
	`wakes_ms` text NOT NULL,
	`has_started` integer NOT NULL,
	`unanswered` integer NOT NULL,
	`unanswered_since_ms` integer,
	`last_push_at_ms` integer,
	`last_wake_at_ms` integer,
	`silent_since_ms` integer,
	`demoted_at_ms` integer,
	`knocks_at_ms` text NOT NULL,
	`useless_knocks` integer NOT NULL,
	`useless_at_ms` integer,
	`token_sha256` text
) STRICT, WITHOUT ROWID;
CREATE INDEX `wake_histories_unanswered` ON `wake_histories` (`unanswered_since_ms`) WHERE unanswered >= 5 AND silent_since_ms IS NULL;
CREATE INDEX `wake_histories_by_push` ON `wake_histories` (`last_push_at_ms`);
CREATE TABLE `wakes` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`asked` integer NOT NULL,
	`accepted_at_ms` integer,
	`push_number` integer,
	`recent` text NOT NULL,
	`sender` integer NOT NULL,
	`knocked_at_ms` integer,
	`knock_outcome` text,
	`knock_result` text,
	FOREIGN KEY (`row_id`) REFERENCES `deliveries`(`row_id`) ON UPDATE no action ON DELETE cascade
) STRICT;
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
CREATE UNIQUE INDEX `digest_counts_by_kind` ON `digest_counts` (`endpoint_id`,`type`,`app`,`reason`);
CREATE TABLE `endpoint_attempts` (
	`row_id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`endpoint_id` text NOT NULL,
	`event_id` text NOT NULL,
	`type` text NOT NULL,
	`at_ms` integer NOT NULL,
	`latency_ms` integer NOT NULL,
	`outcome` text NOT NULL,
	`status` integer,
	`reason` text
) STRICT;
CREATE INDEX `endpoint_attempts_by_endpoint` ON `endpoint_attempts` (`endpoint_id`,`row_id`);
CREATE TABLE `endpoints` (
	`row_id` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`app` text,
	`enabled_events` text NOT NULL,
	`description` text,
	`status` text NOT NULL,
	`disabled_reason` text,
	`configured` integer NOT NULL,
	`created_at_ms` integer NOT NULL,
	`cursor` integer NOT NULL,
	`failing_since_ms` integer,
	`refused` integer NOT NULL,
	`dropped` integer NOT NULL,
	`dropped_from_ms` integer,
	`dropped_to_ms` integer,
	`sealed` blob NOT NULL,
	`digest` text,
	CONSTRAINT "endpoints_status_known" CHECK(status IN ('enabled', 'disabled')),
	CONSTRAINT "endpoints_dropped_whole" CHECK((dropped = 0) = (dropped_from_ms IS NULL))
) STRICT;
CREATE UNIQUE INDEX `endpoints_by_id` ON `endpoints` (`id`);
CREATE TABLE `events` (
	`row_id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`at_ms` integer NOT NULL,
	`type` text NOT NULL,
	`app` text,
	`provider` text,
	`delivery_id` text,
	`device_id` text,
	`notification_type` text,
	`reason` text,
	`token_hash` text,
	`token_sha256` text,
	`subject_sha256` text,
	`endpoint_id` text
) STRICT;
CREATE UNIQUE INDEX `events_by_id` ON `events` (`id`);
CREATE INDEX `events_by_token` ON `events` (`token_hash`) WHERE token_hash IS NOT NULL;
CREATE INDEX `events_by_device` ON `events` (`device_id`) WHERE device_id IS NOT NULL;
CREATE INDEX `events_to_alert` ON `events` (`row_id`) WHERE type IN ('provider.down', 'provider.misconfigured', 'endpoint.disabled');
