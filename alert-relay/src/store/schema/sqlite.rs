//! The tables in SQLite, as a list of migrations. `user_version` counts those already run.

/// How many of them the first published relay had.
#[cfg(test)]
pub(super) const RELEASED: usize = 4;

/// Each runs once, in order, in a transaction of its own. Never edit one that was released: add another.
pub(super) const MIGRATIONS: &[&str] = &[
    // 1: events, incidents, notifications, outbox.
    "
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,            -- in the order of storing, never used again
        id BLOB NOT NULL UNIQUE,            -- the event's UUIDv7, 16 bytes
        received_ms INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,           -- when the guard decided, never after received_ms
        severity INTEGER NOT NULL,
        verdict INTEGER NOT NULL,
        client TEXT NOT NULL,
        incident BLOB,
        body TEXT NOT NULL                  -- the event as JSON
    ) STRICT;
    CREATE INDEX events_time ON events (time_ms, severity, verdict, client);
    CREATE INDEX events_incident ON events (incident, seq) WHERE incident IS NOT NULL;

    CREATE TABLE threats (                  -- events per rule and minute, for the summary
        minute INTEGER NOT NULL,
        rule TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (minute, rule)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE incidents (
        id BLOB NOT NULL UNIQUE,
        model TEXT NOT NULL,
        category TEXT NOT NULL,
        client TEXT NOT NULL,
        severity INTEGER NOT NULL,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        count INTEGER NOT NULL,
        refused INTEGER NOT NULL,
        threats TEXT NOT NULL,              -- JSON list
        due_ms INTEGER,                     -- when the next mail is due
        notify_sequence INTEGER NOT NULL,
        notify_last_ms INTEGER NOT NULL,
        notify_count INTEGER NOT NULL,
        notify_severity INTEGER
    ) STRICT;
    CREATE INDEX incidents_key ON incidents (model, category, client, updated_ms);
    CREATE INDEX incidents_last ON incidents (last_ms, id);
    CREATE INDEX incidents_due ON incidents (due_ms) WHERE due_ms IS NOT NULL;

    CREATE TABLE notifications (
        id INTEGER PRIMARY KEY,
        incident BLOB,                      -- none for a test mail
        sequence INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        message TEXT NOT NULL,              -- the composed mail as JSON, the same for each recipient
        UNIQUE (incident, sequence)
    ) STRICT;

    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        notification INTEGER NOT NULL,
        channel TEXT NOT NULL,              -- mail
        recipient TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'parked')),
        attempts INTEGER NOT NULL DEFAULT 0,
        due_ms INTEGER NOT NULL,
        lease_ms INTEGER NOT NULL DEFAULT 0,-- until then somebody is at it
        created_ms INTEGER NOT NULL,
        settled_ms INTEGER,
        error TEXT,
        UNIQUE (notification, channel, recipient)
    ) STRICT;
    CREATE INDEX outbox_due ON outbox (due_ms) WHERE state = 'pending';
    CREATE INDEX outbox_parked ON outbox (settled_ms) WHERE state = 'parked';
    ",
    // 2: decisions about callers.
    "
    CREATE TABLE decisions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        serial INTEGER NOT NULL UNIQUE,     -- of its latest change
        scope TEXT NOT NULL,
        value TEXT NOT NULL,
        action TEXT NOT NULL CHECK (action IN ('block', 'throttle', 'monitor', 'lift')),
        rate INTEGER NOT NULL,              -- requests a minute
        until_s INTEGER NOT NULL,           -- Unix seconds
        reason TEXT NOT NULL,
        incident BLOB,
        automatic INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        UNIQUE (scope, value)
    ) STRICT;
    CREATE INDEX decisions_until ON decisions (until_s);
    INSERT INTO meta (key, value) VALUES ('decision_serial', 0);
    -- Names this database: filters that knew another one begin anew.
    INSERT INTO meta (key, value) VALUES ('decision_epoch', (random() & 0x7ffffffffffffffe) + 1);
    ",
    // 3: several relays, and the caller's address.
    "
    ALTER TABLE events ADD COLUMN relay TEXT NOT NULL DEFAULT 'relay';
    ALTER TABLE events ADD COLUMN address TEXT;
    CREATE INDEX events_address ON events (address, seq) WHERE address IS NOT NULL;
    ALTER TABLE outbox ADD COLUMN holder TEXT NOT NULL DEFAULT '';
    UPDATE meta SET key = 'logged:relay' WHERE key = 'logged';
    DELETE FROM meta WHERE key = 'probe';

    CREATE TABLE leases (                   -- work that one relay does for all
        name TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        until_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    ",
    // 4: who changed what; how old mails are.
    "
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        actor TEXT NOT NULL,                -- person or relay
        action TEXT NOT NULL,
        what TEXT NOT NULL                  -- JSON
    ) STRICT;
    CREATE INDEX audit_at ON audit (at_ms);
    CREATE INDEX notifications_created ON notifications (created_ms);
    ",
    // 5: to which receiver's target by which channel.
    "
    ALTER TABLE outbox ADD COLUMN receiver TEXT NOT NULL DEFAULT 'default';
    UPDATE outbox SET channel = 'email' WHERE channel = 'mail';
    ",
    // 6: what was said when a message was taken.
    "
    ALTER TABLE outbox ADD COLUMN receipt TEXT;
    ",
    // 7: what becomes of incidents, their timelines, who changed what, the search.
    "
    ALTER TABLE incidents ADD COLUMN state TEXT NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'acknowledged', 'resolved'));
    ALTER TABLE incidents ADD COLUMN state_ms INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE incidents ADD COLUMN state_by TEXT NOT NULL DEFAULT 'relay';
    ALTER TABLE incidents ADD COLUMN base INTEGER NOT NULL DEFAULT 0;       -- severity before it was raised
    ALTER TABLE incidents ADD COLUMN template INTEGER NOT NULL DEFAULT 0;   -- 64 bits
    ALTER TABLE incidents ADD COLUMN label TEXT NOT NULL DEFAULT '';
    ALTER TABLE incidents ADD COLUMN confidence INTEGER NOT NULL DEFAULT 0; -- thousandths
    ALTER TABLE incidents ADD COLUMN spread INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE incidents ADD COLUMN campaign BLOB;
    ALTER TABLE incidents ADD COLUMN surface TEXT NOT NULL DEFAULT '';
    ALTER TABLE incidents ADD COLUMN entries INTEGER NOT NULL DEFAULT 0;    -- of the timeline
    ALTER TABLE incidents ADD COLUMN score INTEGER NOT NULL DEFAULT 0;      -- thousandths, at the last change
    UPDATE incidents SET base = severity, state_ms = updated_ms;
    UPDATE incidents SET state = 'resolved', state_ms = updated_ms + 3600000
        WHERE updated_ms < CAST(unixepoch() AS INTEGER) * 1000 - 3600000;
    CREATE INDEX incidents_live ON incidents (updated_ms) WHERE state <> 'resolved';
    CREATE INDEX incidents_client ON incidents (client, last_ms);
    CREATE INDEX incidents_template ON incidents (template, last_ms) WHERE template <> 0;
    CREATE INDEX incidents_campaign ON incidents (campaign, client) WHERE campaign IS NOT NULL;

    CREATE TABLE timeline (
        id INTEGER PRIMARY KEY,
        incident BLOB NOT NULL,
        at_ms INTEGER NOT NULL,
        what TEXT NOT NULL,
        who TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX timeline_incident ON timeline (incident, id);

    ALTER TABLE audit ADD COLUMN who TEXT NOT NULL DEFAULT '';

    -- Words of events, for the search; filled after the commit. Its rowid is the event's seq.
    CREATE VIRTUAL TABLE events_text USING fts5(words, content='', contentless_delete=1);
    INSERT INTO meta (key, value) VALUES ('searchable', 0); -- up to which event
    ",
    // 8: incidents that are told together, campaigns, silences, and what became of every event.
    "
    CREATE TABLE alert_groups (             -- each stands in notifications.incident for its messages
        id BLOB NOT NULL PRIMARY KEY,
        receiver TEXT NOT NULL,
        place TEXT NOT NULL,                -- of its route in the tree
        key TEXT NOT NULL,
        lead BLOB NOT NULL,                  -- the incident that its next message is about
        severity INTEGER NOT NULL,              -- of the lead
        pending INTEGER NOT NULL,               -- events not told yet
        told INTEGER NOT NULL,
        told_severity INTEGER,
        sequence INTEGER NOT NULL,              -- messages made
        last_ms INTEGER NOT NULL,               -- when the last one was
        updated_ms INTEGER NOT NULL,
        due_ms INTEGER,
        repeat_ms INTEGER,                      -- then it is told again if it is still open
        escalate_ms INTEGER,                    -- then somebody else is told
        UNIQUE (receiver, place, key)
    ) STRICT;
    CREATE INDEX alert_groups_due ON alert_groups (due_ms) WHERE due_ms IS NOT NULL;
    CREATE INDEX alert_groups_repeat ON alert_groups (repeat_ms) WHERE repeat_ms IS NOT NULL;
    CREATE INDEX alert_groups_escalate ON alert_groups (escalate_ms) WHERE escalate_ms IS NOT NULL;

    CREATE TABLE group_members (
        incident BLOB NOT NULL,
        alert_group BLOB NOT NULL,
        PRIMARY KEY (incident, alert_group)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX group_members_group ON group_members (alert_group);

    CREATE TABLE campaigns (
        id BLOB NOT NULL PRIMARY KEY,
        category TEXT NOT NULL,
        template INTEGER NOT NULL,
        clients INTEGER NOT NULL,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX campaigns_last ON campaigns (category, last_ms);

    CREATE TABLE silences (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        matchers TEXT NOT NULL,             -- JSON list
        who TEXT NOT NULL,
        reason TEXT NOT NULL,
        from_ms INTEGER NOT NULL,
        until_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX silences_until ON silences (until_ms);

    CREATE TABLE accounts (                 -- events by what became of them, for the digest
        hour INTEGER NOT NULL,
        receiver TEXT NOT NULL,
        outcome TEXT NOT NULL,
        category TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (hour, receiver, outcome, category)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE categories (               -- events by category and minute, for conditions
        minute INTEGER NOT NULL,
        category TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (minute, category)
    ) STRICT, WITHOUT ROWID;

    ALTER TABLE notifications ADD COLUMN receiver TEXT NOT NULL DEFAULT '';
    CREATE INDEX notifications_receiver ON notifications (receiver, created_ms);
    -- What waited to be told is looked at anew.
    UPDATE incidents SET notify_last_ms = 0;
    ",
    // 9: the allow list; how long filters may know a decision; who comes again; who of a range was noticed.
    "
    -- Somebody that no decision may be about: to filters a decision that was taken back.
    ALTER TABLE decisions ADD COLUMN allows INTEGER NOT NULL DEFAULT 0;
    -- The latest end that filters were ever told of it: until then they have to hear what became of it.
    ALTER TABLE decisions ADD COLUMN told_until_s INTEGER NOT NULL DEFAULT 0;
    UPDATE decisions SET told_until_s = until_s;
    DROP INDEX decisions_until;
    CREATE INDEX decisions_told_until ON decisions (told_until_s);
    CREATE INDEX decisions_allows ON decisions (id) WHERE allows = 1;

    CREATE TABLE repeats (                  -- whom rules decided about, and how often in a row
        scope TEXT NOT NULL,
        value TEXT NOT NULL,
        times INTEGER NOT NULL,
        forget_s INTEGER NOT NULL,           -- Unix seconds
        PRIMARY KEY (scope, value)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX repeats_forget ON repeats (forget_s);

    CREATE TABLE neighbours (               -- addresses of a range that a rule about ranges fits
        rule TEXT NOT NULL,
        network TEXT NOT NULL,
        address TEXT NOT NULL,
        forget_s INTEGER NOT NULL,
        PRIMARY KEY (rule, network, address)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX neighbours_forget ON neighbours (forget_s);
    ",
    // 10: those who were told of incidents are told what becomes of them.
    "
    -- The state that groups know of.
    ALTER TABLE incidents ADD COLUMN told_state TEXT NOT NULL DEFAULT 'open';
    UPDATE incidents SET told_state = state WHERE state <> 'open';
    CREATE INDEX incidents_turned ON incidents (state_ms) WHERE state <> told_state;
    -- The state that a group's receivers know of, and when they are told of another.
    ALTER TABLE alert_groups ADD COLUMN told_state TEXT NOT NULL DEFAULT 'open';
    ALTER TABLE alert_groups ADD COLUMN state_due_ms INTEGER;
    CREATE INDEX alert_groups_state ON alert_groups (state_due_ms) WHERE state_due_ms IS NOT NULL;
    -- Whether it tells of a state, and whether it counts for the hourly limit.
    ALTER TABLE notifications ADD COLUMN is_state INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE notifications ADD COLUMN limited INTEGER NOT NULL DEFAULT 1;
    CREATE INDEX outbox_sent ON outbox (receiver, settled_ms) WHERE state = 'sent';
    ",
    // 11: counts for the summary, so that it need not read the events; indexes of incidents that change with each
    // of their events are few, and one answers every listing without looking at the rows that it leaves out.
    "
    CREATE TABLE counts (                   -- events by minute, for the summary; as long as the events
        minute INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        verdict INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (minute, severity, verdict)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO counts (minute, severity, verdict, count)
        SELECT time_ms / 60000, severity, verdict, COUNT(*) FROM events GROUP BY 1, 2, 3;

    CREATE TABLE callers (                  -- the minute of the latest event of each, for the same
        client TEXT NOT NULL PRIMARY KEY,
        minute INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO callers (client, minute)
        SELECT client, MAX(time_ms) / 60000 FROM events WHERE client <> 'unknown' GROUP BY client;
    CREATE INDEX callers_minute ON callers (minute);

    DROP INDEX events_time;
    CREATE INDEX events_time ON events (time_ms);

    DROP INDEX incidents_last;
    CREATE INDEX incidents_list ON incidents (last_ms, id, severity, state, category, model, score);
    DROP INDEX incidents_key;
    DROP INDEX incidents_client;
    CREATE INDEX incidents_key ON incidents (client, model, category, id);
    DROP INDEX incidents_template;
    CREATE INDEX incidents_template ON incidents (template, id) WHERE template <> 0;
    ",
    // 12: where the log of each relay stands.
    "
    CREATE TABLE log_heads (
        relay TEXT NOT NULL,
        begun_ms INTEGER NOT NULL,     -- when the chain was begun
        sequence INTEGER NOT NULL,     -- lines it has sealed
        head TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (relay, begun_ms)
    ) STRICT, WITHOUT ROWID;
    ",
    // 13: whose events wait in a group, so that what is silenced meanwhile can be kept back.
    "
    -- Events that the group's next message tells of, and how many it had made when the incident came to it.
    ALTER TABLE group_members ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE group_members ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
    UPDATE group_members SET pending =
        (SELECT alert_groups.pending FROM alert_groups WHERE alert_groups.id = alert_group)
        WHERE EXISTS (SELECT 1 FROM alert_groups WHERE alert_groups.id = alert_group AND alert_groups.lead = incident);
    ",
    // 14: messages that a channel had no place for while others went on.
    "
    CREATE TABLE missed (
        receiver TEXT NOT NULL,
        channel TEXT NOT NULL,
        messages INTEGER NOT NULL,
        events INTEGER NOT NULL,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        PRIMARY KEY (receiver, channel)
    ) STRICT, WITHOUT ROWID;
    ",
    // 15: what is counted by the minute, summed by the hour and by the day, so that a summary of a month need not read
    // all of its minutes. The tables are filled step by step while the relay runs.
    "
    CREATE TABLE threat_sums (
        minutes INTEGER NOT NULL,            -- of the period
        period INTEGER NOT NULL,             -- which one: its first minute divided by that
        rule TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (minutes, period, rule)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE count_sums (
        minutes INTEGER NOT NULL,
        period INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        verdict INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (minutes, period, severity, verdict)
    ) STRICT, WITHOUT ROWID;
    -- What never changes of an incident, or seldom: to find the few of a model, a category or a state.
    CREATE INDEX incidents_model ON incidents (model);
    CREATE INDEX incidents_category ON incidents (category);
    CREATE INDEX incidents_state ON incidents (state);
    ",
];
