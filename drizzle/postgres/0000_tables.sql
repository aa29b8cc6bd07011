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
	"id" text NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"status" text NOT NULL,
	"reason" text,
	"app" text NOT NULL,
	"platform" text NOT NULL,
	"provider" text NOT NULL,
	"type" text NOT NULL,
	"device_id" text,
	"token_hash" text NOT NULL,
	"subject_hash" text,
	"lifetime_ms" bigint NOT NULL,
	"attempts" integer NOT NULL,
	"settled_at" timestamp with time zone,
	"answered_at" timestamp with time zone,
	"door" text,
	"source" text,
	"request_id" text,
	"told" text,
	"told_status" integer,
	"told_at" timestamp with time zone,
	"repeats" integer NOT NULL,
	"repeated_at" timestamp with time zone,
	CONSTRAINT "deliveries_status_known" CHECK (status IN ('queued', 'delivered', 'unregistered', 'rejected', 'misconfigured', 'expired')),
	CONSTRAINT "deliveries_settled_or_open" CHECK ((status = 'queued') = (settled_at IS NULL))
);
--> statement-breakpoint
CREATE TABLE "duplicate_keys" (
	"key_hash" text PRIMARY KEY NOT NULL,
	"delivery_id" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "meta" (
	"name" text PRIMARY KEY NOT NULL,
	"value" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "nodes" (
	"id" text PRIMARY KEY NOT NULL,
	"url" text,
	"beat" bigint NOT NULL,
	"epoch" bigint NOT NULL,
	"started_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "quarantine" (
	"token_hash" text PRIMARY KEY NOT NULL,
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
	"device_id" text,
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
	"key_hash" text,
	"ready_at" timestamp with time zone GENERATED ALWAYS AS (greatest(due_at, not_before, lease_until)) STORED NOT NULL,
	CONSTRAINT "queue_lease_whole" CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);
--> statement-breakpoint
CREATE TABLE "schema" (
	"min_reader" integer PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE "devices" (
	"row_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "devices_row_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"id" text NOT NULL,
	"app" text NOT NULL,
	"platform" text NOT NULL,
	"registrar" text NOT NULL,
	"token_hash" text NOT NULL,
	"user_hash" text,
	"identity_hash" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"seen_at" timestamp with time zone NOT NULL,
	"dead_since" timestamp with time zone,
	"sealed" "bytea" NOT NULL,
	CONSTRAINT "devices_registrar_known" CHECK (registrar IN ('backend', 'app', 'self'))
);
--> statement-breakpoint
CREATE TABLE "handles" (
	"handle_hash" text PRIMARY KEY NOT NULL,
	"device_row_id" bigint NOT NULL,
	"door" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "used_signatures" (
	"key_hash" text PRIMARY KEY NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "attempts" ADD CONSTRAINT "attempts_row_id_deliveries_row_id_fk" FOREIGN KEY ("row_id") REFERENCES "public"."deliveries"("row_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "queue" ADD CONSTRAINT "queue_row_id_deliveries_row_id_fk" FOREIGN KEY ("row_id") REFERENCES "public"."deliveries"("row_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "handles" ADD CONSTRAINT "handles_device_row_id_devices_row_id_fk" FOREIGN KEY ("device_row_id") REFERENCES "public"."devices"("row_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
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
CREATE INDEX "used_signatures_by_end" ON "used_signatures" USING btree ("expires_at");