-- The tables of the warehouse. include/published/warehouse.py runs this file once, and again when it has
-- changed, so every statement may be repeated. Names have no schema: the tables are made in the first
-- schema of the connection's search_path. Published tables are described in include/published/tables.py;
-- a test compares the comments below with it.

do $$ begin
  if not exists (select from pg_roles where rolname = 'rfm_reader') then
    create role rfm_reader nologin;
  end if;
  execute format('grant usage on schema %I to rfm_reader', current_schema());
  -- so that they read tables that are added later
  execute format('alter default privileges in schema %I grant select on tables to rfm_reader', current_schema());
end $$;

comment on table warehouse_schema is 'The version of the tables, which the loader keeps for itself';
comment on column warehouse_schema.version is 'SHA-256 of the SQL that was run last';

create table if not exists pipeline_runs (
  as_of         date        primary key,
  dag_run       text        not null,
  published_at  timestamptz not null,
  loaded_at     timestamptz not null default now(),
  listing       bigint      not null,
  lines_landed  bigint      not null check (lines_landed >= 0),
  lines_kept    bigint      not null check (lines_kept between 0 and lines_landed),
  customers     bigint      not null check (customers >= 0),
  stages        jsonb       not null,
  config_hash   text        not null,
  config        jsonb       not null
);
comment on table pipeline_runs is 'One row for each snapshot: the run that made it. Variants are not loaded';
comment on column pipeline_runs.as_of is 'The snapshot counts what was bought before this day';
comment on column pipeline_runs.dag_run is 'The Airflow run';
comment on column pipeline_runs.published_at is 'When the files of the snapshot were published';
comment on column pipeline_runs.loaded_at is 'When the snapshot was loaded into the warehouse';
comment on column pipeline_runs.listing is 'Version of the landing folder it was made from; an older one never replaces a newer one';
comment on column pipeline_runs.lines_landed is 'Lines of all landed files';
comment on column pipeline_runs.lines_kept is 'Lines that passed the rules';
comment on column pipeline_runs.customers is 'Number of customers';
comment on column pipeline_runs.stages is 'For each task: rows in and out, rejects by reason, seconds, Spark application';
comment on column pipeline_runs.config_hash is 'Equal where the configuration was equal';
comment on column pipeline_runs.config is 'The configuration, with the segment map and the params of the run';

create table if not exists segment_definitions (
  as_of        date     not null references pipeline_runs on delete cascade,
  rank         smallint not null check (rank >= 1),
  segment      text     not null,
  description  text     not null,
  codes        text[]   not null,
  primary key (as_of, segment),
  unique (as_of, rank)
);
comment on table segment_definitions is 'What the segments of a snapshot mean';
comment on column segment_definitions.as_of is 'The snapshot counts what was bought before this day';
comment on column segment_definitions.rank is 'Order in which to show them, the best first';
comment on column segment_definitions.segment is 'Name of the segment';
comment on column segment_definitions.description is 'Who is in it, and what to do about them';
comment on column segment_definitions.codes is 'Patterns of the rfm_score that belong to it: 5[45]. is 541 to 555';

create table if not exists customer_segments (
  as_of                date          not null,
  customer_id          text          not null,
  country              text,
  first_purchase_date  date          not null,
  last_purchase_date   date          not null,
  recency_days         integer       not null check (recency_days = as_of - last_purchase_date),
  frequency            bigint        not null check (frequency >= 1),
  monetary             numeric(18,2) not null,
  gross                numeric(18,2) not null,
  returned             numeric(18,2) not null,
  avg_order_value      numeric(18,2) not null,
  r_score              smallint      not null check (r_score between 1 and 5),
  f_score              smallint      not null check (f_score between 1 and 5),
  m_score              smallint      not null check (m_score between 1 and 5),
  rfm_score            text          not null check (rfm_score = concat(r_score, f_score, m_score)),
  segment              text          not null,
  previous_segment     text,
  primary key (as_of, customer_id),
  check (first_purchase_date <= last_purchase_date and last_purchase_date < as_of)
);
comment on table customer_segments is 'One row for each customer and snapshot. For one snapshot, filter by as_of';
comment on column customer_segments.as_of is 'The snapshot counts what was bought before this day';
comment on column customer_segments.customer_id is 'As the shop writes it, without blanks around it and without a final .0';
comment on column customer_segments.country is 'Country of the last purchase, the first by name where that day has several';
comment on column customer_segments.first_purchase_date is 'Date of the first purchase that counts';
comment on column customer_segments.last_purchase_date is 'Date of the last purchase that counts';
comment on column customer_segments.recency_days is 'Days from the last purchase to as_of, at least 1';
comment on column customer_segments.frequency is 'Number of purchase invoices';
comment on column customer_segments.monetary is 'What was bought minus what was cancelled (all of what was bought where cancellations is drop), in the currency of the shop';
comment on column customer_segments.gross is 'What was bought';
comment on column customer_segments.returned is 'What was cancelled, as a positive number';
comment on column customer_segments.avg_order_value is 'monetary / frequency';
comment on column customer_segments.r_score is 'Fifth of the customers by recency, 5 the most recent';
comment on column customer_segments.f_score is 'Fifth of the customers by frequency, 5 the most frequent';
comment on column customer_segments.m_score is 'Fifth of the customers by monetary, 5 the highest';
comment on column customer_segments.rfm_score is 'The three scores, such as 555';
comment on column customer_segments.segment is 'See segment_definitions';
comment on column customer_segments.previous_segment is 'Segment compare_days (30) earlier; null for who did not count then';
-- The primary key begins with the date. This one finds a customer over all dates.
create index if not exists customer_segments_customer_id on customer_segments (customer_id);

create or replace view customer_segments_latest as
  select * from customer_segments where as_of = (select max(as_of) from pipeline_runs);
comment on view customer_segments_latest is 'customer_segments of the newest snapshot';
do $$ declare described record; begin
  for described in
    select attname, col_description(attrelid, attnum) as description from pg_attribute
    where attrelid = 'customer_segments'::regclass and attnum > 0 and not attisdropped
  loop
    execute format('comment on column customer_segments_latest.%I is %L', described.attname, described.description);
  end loop;
end $$;

create table if not exists segment_summary (
  as_of             date          not null,
  segment           text          not null,
  customers         bigint        not null check (customers >= 0),
  customer_share    numeric(5,4)  not null,
  orders            bigint        not null,
  revenue           numeric(38,2) not null,
  revenue_share     numeric,
  avg_recency_days  numeric,
  avg_frequency     numeric,
  avg_monetary      numeric,
  median_monetary   numeric,
  primary key (as_of, segment),
  foreign key (as_of, segment) references segment_definitions on delete cascade
);
comment on table segment_summary is 'Customers, orders and revenue of each segment and snapshot';
comment on column segment_summary.as_of is 'The snapshot counts what was bought before this day';
comment on column segment_summary.segment is 'See segment_definitions';
comment on column segment_summary.customers is 'Number of customers';
comment on column segment_summary.customer_share is 'Share of all customers; 0.25 is a quarter';
comment on column segment_summary.orders is 'Purchase invoices of these customers';
comment on column segment_summary.revenue is 'Sum of monetary';
comment on column segment_summary.revenue_share is 'Share of all revenue; null where that is not above zero';
comment on column segment_summary.avg_recency_days is 'Average recency_days; null without customers';
comment on column segment_summary.avg_frequency is 'Average frequency; null without customers';
comment on column segment_summary.avg_monetary is 'Average monetary; null without customers';
comment on column segment_summary.median_monetary is 'Median of monetary; null without customers';

create table if not exists segment_movement (
  as_of             date   not null references pipeline_runs on delete cascade,
  previous_segment  text   not null,
  segment           text   not null,
  customers         bigint not null check (customers >= 1),
  primary key (as_of, previous_segment, segment)
);
comment on table segment_movement is 'Customers by segment compare_days (30) earlier and segment as of the snapshot';
comment on column segment_movement.as_of is 'The snapshot counts what was bought before this day';
comment on column segment_movement.previous_segment is 'Segment then; Not yet a customer: had bought nothing that counted as of the earlier date';
comment on column segment_movement.segment is 'Segment now; No longer counted: has dropped out of the look-back';
comment on column segment_movement.customers is 'Number of customers';

grant select on pipeline_runs, segment_definitions, customer_segments, customer_segments_latest,
  segment_summary, segment_movement to rfm_reader;
