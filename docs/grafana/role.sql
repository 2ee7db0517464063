-- A role that may read what the panels of andon.json read, and nothing else: no people, sessions, tokens, keys,
-- payloads or audit chain. Run it as the owner of the hub's database, again after each upgrade:
--
--     psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f role.sql
--     psql "$DATABASE_URL" -c '\password andon_grafana'
--
-- Whoever runs it needs the right to make roles. Where that is somebody else's, let them make the role, and run the
-- rest as the owner.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'andon_grafana') THEN
        CREATE ROLE andon_grafana LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION CONNECTION LIMIT 20;
    END IF;
END
$$;

-- What a panel may cost: a question that takes longer is broken off, and nothing is written. These are against
-- mistakes, not against malice: PostgreSQL lets each role lift its own settings, and lets every role that may connect
-- say things on channels, hold advisory locks and make large objects. It sees nothing more by that, and what the hub
-- hears on its channels it checks; but whoever may write SQL in Grafana can keep the server busy. Give that right to
-- people you trust, or give Grafana a replica.
ALTER ROLE andon_grafana SET statement_timeout = '15s';
ALTER ROLE andon_grafana SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE andon_grafana SET default_transaction_read_only = on;
ALTER ROLE andon_grafana SET timezone = 'UTC';
ALTER ROLE andon_grafana SET search_path = public;

-- Tables of its own would fill the hub's disk; everybody may make some in a new database, and the hub needs none.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END
$$;

GRANT USAGE ON SCHEMA public TO andon_grafana;
GRANT SELECT (id, name) ON site TO andon_grafana;
GRANT SELECT (id, name, site, profile, enrolled, retired, online, status_since, last_batch, last_live, skew_s)
   ON device TO andon_grafana;
GRANT SELECT (device, machine, reason, from_time, to_time) ON gap TO andon_grafana;
GRANT SELECT (device, mark, highest, superseded) ON mark TO andon_grafana;
GRANT SELECT (device, reason, bytes, times, received, settled) ON quarantine TO andon_grafana;
GRANT SELECT (id, release, state, reason, wave, changed) ON rollout TO andon_grafana;
GRANT SELECT (rollout, device, state) ON rollout_device TO andon_grafana;
GRANT SELECT (release, manifest) ON model TO andon_grafana;
GRANT SELECT ON machine, signal, sample, rollup_minute, rollup_hour, prediction, latest_prediction, alarm,
                device_standing, release_figure
   TO andon_grafana;
