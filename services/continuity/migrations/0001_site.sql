-- Sites (data centres) and what is wished of each, what happened to them, and the drills that were held.

CREATE TABLE continuity_site (
    -- Also the name of its etcd member and of its PostgreSQL under Patroni. Never used again for another place.
    name TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL,
    -- Where clients reach it: scheme, host and port.
    url TEXT NOT NULL,
    latitude DOUBLE PRECISION NOT NULL,
    longitude DOUBLE PRECISION NOT NULL,
    -- 'active', 'draining': it gives its work to the others; 'retired': it left for good.
    state TEXT NOT NULL,
    -- Requests a second that it carries at the most, when somebody measured it.
    capacity BIGINT,
    created_at BIGINT NOT NULL,
    -- Since when it is in this state.
    state_since BIGINT NOT NULL,
    CHECK (state IN ('active', 'draining', 'retired')),
    CHECK (capacity IS NULL OR capacity > 0)
);
CREATE UNIQUE INDEX continuity_site_url ON continuity_site (url);

-- A site that was lost and perhaps came back. Never deleted: what people are owed is computed from it.
CREATE TABLE continuity_incident (
    incident_id BYTEA PRIMARY KEY NOT NULL,
    site TEXT NOT NULL REFERENCES continuity_site (name),
    -- The site whose node noticed first.
    noticed_by TEXT NOT NULL,
    lost_at BIGINT NOT NULL,
    -- 0 while it lasts; then when the site was back.
    returned_at BIGINT NOT NULL,
    CHECK (returned_at = 0 OR returned_at >= lost_at)
);
-- One incident of a site at a time: who notices second adds nothing.
CREATE UNIQUE INDEX continuity_incident_open ON continuity_incident (site, returned_at);

CREATE TABLE continuity_drill (
    drill_id BYTEA PRIMARY KEY NOT NULL,
    filed_by BYTEA NOT NULL,
    filed_at BIGINT NOT NULL,
    -- What was done: 'burn', 'freeze', ...; and to which site, '' when to all.
    fault TEXT NOT NULL,
    site TEXT NOT NULL,
    lost BIGINT NOT NULL,
    duplicated BIGINT NOT NULL,
    -- The whole report, as JSON.
    report TEXT NOT NULL
);
