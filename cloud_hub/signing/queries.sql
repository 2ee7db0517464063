-- released_bundles
-- What this hub has released: every bundle that the bundles role may list.
SELECT bundle_path, bundle_sha256 FROM model WHERE bundle_path IS NOT NULL;
