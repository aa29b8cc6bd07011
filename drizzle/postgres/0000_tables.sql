CREATE TABLE "attempts" (
	"row_id" bigint NOT NULL,
	"number" integer NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"latency_ms" bigint NOT NULL,
	"outcome" text NOT NULL,
	"reason" text,
	"message_id" text,
	CONSTRAINT "attempts_row_id_number_pk" PRIMARY KEY("row_id","number")
);
--> statement-breakpoint
CREATE TABLE "deliveries" (
	"row_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "deliveries_row_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"id" text COLLATE "C" NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"status" text NOT NULL,
	"reason" text,
	"app" text NOT NULL,
	"platform" text NOT NULL,
	"provider" text NOT NULL,
	"type" text NOT NULL,
	"device_id" text COLLATE "C",
	"token_hash" text COLLATE "C" NOT NULL,
	"subject_hash" text COLLATE "C",
	"lifetime_ms" bigint NOT NULL,
	"attempts" integer NOT NULL,
	"settled_at" timestamp with time zone,
	"answered_at" timestamp with time zone,
	"door" text,
	"source" text,
	"request_id" text COLLATE "C",
	"told" text,
	"told_status" integer,
	"told_at" timestamp with time zone,
	"repeats" integer NOT NULL,
	"repeated_at" timestamp with time zone,
	"renewed_at" timestamp with time zone,
	CONSTRAINT "deliveries_status_known" CHECK (status IN ('queued', 'delivered', 'unregistered', 'rejected', 'misconfigured', 'expired')),
	CONSTRAINT "deliveries_settled_or_open" CHECK ((status = 'queued') = (settled_at IS NULL))
);
--> statement-breakpoint
CREATE TABLE "duplicate_keys" (
	"key_hash" text COLLATE "C" PRIMARY KEY NOT NULL,
	"delivery_id" text COLLATE "C" NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "meta" (
	"name" text PRIMARY KEY NOT NULL,
	"value" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "nodes" (
	"id" text COLLATE "C" PRIMARY KEY NOT NULL,
	"url" text,
	"beat" bigint NOT NULL,
	"epoch" bigint NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"beaten_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "quarantine" (
	"token_hash" text COLLATE "C" PRIMARY KEY NOT NULL,
	"app" text NOT NULL,
	"provider" text NOT NULL,
	"kind" text NOT NULL,
	"reason" text NOT NULL,
	"since" timestamp with time zone NOT NULL,
	"until" timestamp with time zone NOT NULL,
	"provider_since" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "queue" (
	"row_id" bigint PRIMARY KEY NOT NULL,
	"app" text NOT NULL,
	"provider" text NOT NULL,
	"device_id" text COLLATE "C",
	"sealed" "bytea" NOT NULL,
	"due_at" timestamp with time zone NOT NULL,
	"not_before" timestamp with time zone,
	"tried_at" timestamp with time zone,
	"useful_until" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"race" boolean NOT NULL,
	"unanswered" integer NOT NULL,
	"interrupted" boolean NOT NULL,
	"lease_owner" text,
	"lease_until" timestamp with time zone,
	"key_hash" text COLLATE "C",
	"ready_at" timestamp with time zone GENERATED ALWAYS AS (greatest(due_at, not_before, lease_until)) STORED NOT NULL,
	CONSTRAINT "queue_lease_whole" CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);
--> statement-breakpoint
CREATE TABLE "schema" (
	"min_reader" integer PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE "counts" (
	"name" text PRIMARY KEY NOT NULL,
	"value" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "devices" (
	"row_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "devices_row_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"id" text COLLATE "C" NOT NULL,
	"app" text NOT NULL,
	"platform" text NOT NULL,
	"registrar" text NOT NULL,
	"token_hash" text COLLATE "C" NOT NULL,
	"user_hash" text COLLATE "C",
	"identity_hash" text COLLATE "C" NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"seen_at" timestamp with time zone NOT NULL,
	"dead_since" timestamp with time zone,
	"sealed" "bytea" NOT NULL,
	CONSTRAINT "devices_registrar_known" CHECK (registrar IN ('backend', 'app', 'self'))
);
--> statement-breakpoint
CREATE TABLE "handles" (
	"handle_hash" text COLLATE "C" PRIMARY KEY NOT NULL,
	"device_row_id" bigint NOT NULL,
	"door" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "used_signatures" (
	"key_hash" text COLLATE "C" PRIMARY KEY NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "digest_counts" (
	"row_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "digest_counts_row_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"endpoint_id" text COLLATE "C" NOT NULL,
	"type" text NOT NULL,
	"app" text NOT NULL,
	"reason" text NOT NULL,
	"count" integer NOT NULL,
	"from" timestamp with time zone NOT NULL,
	"to" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "endpoint_attempts" (
	"row_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "endpoint_attempts_row_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"endpoint_id" text COLLATE "C" NOT NULL,
	"event_id" text COLLATE "C" NOT NULL,
	"type" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"latency_ms" integer NOT NULL,
	"outcome" text NOT NULL,
	"status" integer,
	"reason" text
);
--> statement-breakpoint
CREATE TABLE "endpoints" (
	"row_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "endpoints_row_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"id" text COLLATE "C" NOT NULL,
	"app" text,
	"enabled_events" text NOT NULL,
	"description" text,
	"status" text NOT NULL,
	"disabled_reason" text,
	"configured" boolean NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"cursor" bigint NOT NULL,
	"sender" text COLLATE "C",
	"failing_since" timestamp with time zone,
	"refused" integer NOT NULL,
	"dropped" integer NOT NULL,
	"dropped_from" timestamp with time zone,
	"dropped_to" timestamp with time zone,
	"sealed" "bytea" NOT NULL,
	"digest" text,
	CONSTRAINT "endpoints_status_known" CHECK (status IN ('enabled', 'disabled')),
	CONSTRAINT "endpoints_dropped_whole" CHECK ((dropped = 0) = (dropped_from IS NULL))
);
--> statement-breakpoint
CREATE TABLE "events" (
	"row_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "events_row_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"place" bigint,
	"id" text COLLATE "C" NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"type" text NOT NULL,
	"app" text,
	"provider" text,
	"delivery_id" text COLLATE "C",
	"device_id" text COLLATE "C",
	"notification_type" text,
	"reason" text,
	"token_hash" text COLLATE "C",
	"token_sha256" text COLLATE "C",
	"subject_sha256" text COLLATE "C",
	"endpoint_id" text COLLATE "C"
);
--> statement-breakpoint
CREATE TABLE "awaited_receipts" (
	"row_id" bigint PRIMARY KEY NOT NULL,
	"accepted_at" timestamp with time zone NOT NULL,
	"until" timestamp with time zone NOT NULL,
	"token_sha256" text COLLATE "C" NOT NULL,
	"subject_sha256" text COLLATE "C"
);
--> statement-breakpoint
CREATE TABLE "receipts" (
	"row_id" bigint NOT NULL,
	"number" integer NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"stage" text NOT NULL,
	"n" integer NOT NULL,
	"since_arrival_ms" bigint,
	"why" text,
	"shown" boolean,
	"priority" text,
	"original_priority" text,
	CONSTRAINT "receipts_row_id_number_pk" PRIMARY KEY("row_id","number")
);
--> statement-breakpoint
CREATE TABLE "wake_histories" (
	"token_hash" text COLLATE "C" PRIMARY KEY NOT NULL,
	"app" text NOT NULL,
	"platform" text NOT NULL,
	"pushes" integer NOT NULL,
	"recent" text NOT NULL,
	"wakes_ms" text NOT NULL,
	"has_started" boolean NOT NULL,
	"unanswered" integer NOT NULL,
	"unanswered_since" timestamp with time zone,
	"last_push_at" timestamp with time zone,
	"last_wake_at" timestamp with time zone,
	"silent_since" timestamp with time zone,
	"demoted_at" timestamp with time zone,
	"knocks_at_ms" text NOT NULL,
	"useless_knocks" integer NOT NULL,
	"useless_at" timestamp with time zone,
	"token_sha256" text COLLATE "C"
);
--> statement-breakpoint
CREATE TABLE "wakes" (
	"row_id" bigint PRIMARY KEY NOT NULL,
	"asked" boolean NOT NULL,
	"accepted_at" timestamp with time zone,
	"push_number" integer,
	"recent" text NOT NULL,
	"sender" boolean NOT NULL,
	"knocked_at" timestamp with time zone,
	"knock_outcome" text,
	"knock_result" text
);
--> statement-breakpoint
CREATE TABLE "gaps" (
	"row_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "gaps_row_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"kind" text NOT NULL,
	"began_at" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone,
	"unlogged" integer NOT NULL,
	CONSTRAINT "gaps_kind_known" CHECK (kind IN ('stopped', 'store'))
);
--> statement-breakpoint
CREATE TABLE "outages" (
	"row_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "outages_row_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"app" text NOT NULL,
	"provider" text NOT NULL,
	"reason" text NOT NULL,
	"began_at" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone,
	"node" text COLLATE "C" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "refusals" (
	"row_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "refusals_row_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	"count" integer NOT NULL,
	"request_id" text COLLATE "C",
	"door" text NOT NULL,
	"source" text,
	"app" text,
	"code" text NOT NULL,
	"status" integer NOT NULL,
	"limit_name" text,
	"token_hash" text COLLATE "C",
	"handle_hash" text COLLATE "C",
	"subject_hash" text COLLATE "C",
	"device_id" text COLLATE "C",
	"fields" text,
	"node_id" text,
	"address_hash" text COLLATE "C",
	"delivery_id" text COLLATE "C",
	"known" boolean NOT NULL
);
--> statement-breakpoint
ALTER TABLE "attempts" ADD CONSTRAINT "attempts_row_id_deliveries_row_id_fk" FOREIGN KEY ("row_id") REFERENCES "public"."deliveries"("row_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "queue" ADD CONSTRAINT "queue_row_id_deliveries_row_id_fk" FOREIGN KEY ("row_id") REFERENCES "public"."deliveries"("row_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "handles" ADD CONSTRAINT "handles_device_row_id_devices_row_id_fk" FOREIGN KEY ("device_row_id") REFERENCES "public"."devices"("row_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "awaited_receipts" ADD CONSTRAINT "awaited_receipts_row_id_deliveries_row_id_fk" FOREIGN KEY ("row_id") REFERENCES "public"."deliveries"("row_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "receipts" ADD CONSTRAINT "receipts_row_id_deliveries_row_id_fk" FOREIGN KEY ("row_id") REFERENCES "public"."deliveries"("row_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "wakes" ADD CONSTRAINT "wakes_row_id_deliveries_row_id_fk" FOREIGN KEY ("row_id") REFERENCES "public"."deliveries"("row_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "deliveries_by_id" ON "deliveries" USING btree ("id");--> statement-breakpoint
CREATE INDEX "deliveries_by_token" ON "deliveries" USING btree ("token_hash");--> statement-breakpoint
CREATE INDEX "deliveries_by_device" ON "deliveries" USING btree ("device_id") WHERE device_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "deliveries_by_request" ON "deliveries" USING btree ("request_id") WHERE request_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "deliveries_by_subject" ON "deliveries" USING btree ("subject_hash") WHERE subject_hash IS NOT NULL;--> statement-breakpoint
CREATE INDEX "deliveries_failed" ON "deliveries" USING btree ("status") WHERE status NOT IN ('queued', 'delivered');--> statement-breakpoint
CREATE INDEX "duplicate_keys_by_end" ON "duplicate_keys" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "quarantine_by_start" ON "quarantine" USING btree ("since");--> statement-breakpoint
CREATE INDEX "quarantine_by_end" ON "quarantine" USING btree ("until");--> statement-breakpoint
CREATE INDEX "queue_by_readiness" ON "queue" USING btree ("app","provider","ready_at");--> statement-breakpoint
CREATE INDEX "queue_by_useful_life" ON "queue" USING btree ("app","provider","useful_until") WHERE lease_owner IS NULL;--> statement-breakpoint
CREATE INDEX "queue_by_device" ON "queue" USING btree ("device_id") WHERE device_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "queue_by_owner" ON "queue" USING btree ("lease_owner") WHERE lease_owner IS NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "devices_by_id" ON "devices" USING btree ("id");--> statement-breakpoint
CREATE UNIQUE INDEX "devices_by_identity" ON "devices" USING btree ("identity_hash") WHERE registrar = 'backend';--> statement-breakpoint
CREATE INDEX "devices_by_token" ON "devices" USING btree ("token_hash");--> statement-breakpoint
CREATE INDEX "devices_by_user" ON "devices" USING btree ("user_hash") WHERE user_hash IS NOT NULL;--> statement-breakpoint
CREATE INDEX "devices_by_death" ON "devices" USING btree ("dead_since") WHERE dead_since IS NOT NULL;--> statement-breakpoint
CREATE INDEX "devices_by_sight" ON "devices" USING btree ("seen_at");--> statement-breakpoint
CREATE INDEX "handles_by_device" ON "handles" USING btree ("device_row_id");--> statement-breakpoint
CREATE INDEX "used_signatures_by_end" ON "used_signatures" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "digest_counts_by_kind" ON "digest_counts" USING btree ("endpoint_id","type","app","reason");--> statement-breakpoint
CREATE INDEX "endpoint_attempts_by_endpoint" ON "endpoint_attempts" USING btree ("endpoint_id","row_id");--> statement-breakpoint
CREATE UNIQUE INDEX "endpoints_by_id" ON "endpoints" USING btree ("id");--> statement-breakpoint
CREATE UNIQUE INDEX "events_by_place" ON "events" USING btree ("place") WHERE place IS NOT NULL;--> statement-breakpoint
CREATE INDEX "events_without_place" ON "events" USING btree ("row_id") WHERE place IS NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "events_by_id" ON "events" USING btree ("id");--> statement-breakpoint
CREATE INDEX "events_by_token" ON "events" USING btree ("token_hash") WHERE token_hash IS NOT NULL;--> statement-breakpoint
CREATE INDEX "events_by_device" ON "events" USING btree ("device_id") WHERE device_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "events_to_alert" ON "events" USING btree ("place") WHERE type IN ('provider.down', 'provider.misconfigured', 'endpoint.disabled');--> statement-breakpoint
CREATE INDEX "awaited_receipts_by_end" ON "awaited_receipts" USING btree ("until");--> statement-breakpoint
CREATE INDEX "wake_histories_unanswered" ON "wake_histories" USING btree ("unanswered_since") WHERE unanswered >= 5 AND silent_since IS NULL;--> statement-breakpoint
CREATE INDEX "wake_histories_by_push" ON "wake_histories" USING btree ("last_push_at");--> statement-breakpoint
CREATE INDEX "gaps_by_start" ON "gaps" USING btree ("began_at");--> statement-breakpoint
CREATE INDEX "outages_by_start" ON "outages" USING btree ("began_at");--> statement-breakpoint
CREATE INDEX "refusals_by_token" ON "refusals" USING btree ("token_hash") WHERE token_hash IS NOT NULL;--> statement-breakpoint
CREATE INDEX "refusals_by_handle" ON "refusals" USING btree ("handle_hash") WHERE handle_hash IS NOT NULL;--> statement-breakpoint
CREATE INDEX "refusals_by_subject" ON "refusals" USING btree ("subject_hash") WHERE subject_hash IS NOT NULL;--> statement-breakpoint
CREATE INDEX "refusals_by_device" ON "refusals" USING btree ("device_id") WHERE device_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "refusals_by_request" ON "refusals" USING btree ("request_id") WHERE request_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "refusals_by_delivery" ON "refusals" USING btree ("delivery_id") WHERE delivery_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "refusals_by_kind" ON "refusals" USING btree ("door","code","at");--> statement-breakpoint
CREATE INDEX "refusals_of_strangers" ON "refusals" USING btree ("at") WHERE NOT known;