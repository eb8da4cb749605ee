//! The settings that must be alike on all nodes, so that none of them burns with one site.

use std::collections::BTreeMap;

use haechi_base::Secrets;
use haechi_store::StoreUrl;
use sha2::{Digest as _, Sha256};

use super::Settings;

/// What only the environment says, and nobody shows.
const SECRETS: &[(&str, &str)] = &[
    ("code-gateway-token", "HAECHI_CODE_GATEWAY_TOKEN"),
    ("turn-secret", "HAECHI_TURN_SECRET"),
    ("registration-token", "HAECHI_REGISTRATION_TOKEN"),
    ("patroni-authentication", "HAECHI_PATRONI_AUTHENTICATION"),
];

impl Settings {
    /// Those that were given, by their names. Secrets are told by a fingerprint that only holders of the master key can
    /// compare; where a node listens, and under which names it is reached, is each one's own.
    pub(crate) fn alike(&self, secrets: &Secrets) -> BTreeMap<String, String> {
        let mut alike = BTreeMap::new();
        let mut add = |name: &str, value: Option<String>| {
            alike.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("server-name", self.server_name.clone());
        add("code-gateway", self.code_gateway.clone());
        add("country", self.country.clone());
        add("cluster", self.cluster.clone());
        let rate = self.requests_per_second_max.map(|rate| rate.to_string());
        add("requests-per-second-max", rate);
        for (name, is_set) in [
            ("no-rate-limits", self.no_rate_limits),
            ("no-url-previews", self.no_url_previews),
            ("behind-proxy", self.behind_proxy),
            ("push-anywhere", self.push_anywhere),
            ("open-registration", self.open_registration),
            ("no-detector", self.no_detector),
            ("no-presence", self.no_presence),
        ] {
            add(name, is_set.then(|| "true".to_owned()));
        }
        // Each names its own first.
        let hosts = self
            .store()
            .parse::<StoreUrl>()
            .map(|url| url.hosts())
            .unwrap_or_default();
        add("store", in_order(hosts));
        add("etcd", in_order(self.etcd.clone()));
        add("turn-uri", in_order(self.turn_uri.clone()));
        for (name, variable) in SECRETS {
            let value = std::env::var(variable).ok();
            add(name, value.map(|value| fingerprint(secrets, &value)));
        }
        alike
    }

    /// How codes reach phones, in the operator's words.
    pub(crate) fn code_gateway_given(&self) -> Option<String> {
        self.code_gateway.clone()
    }
}

#[cfg(test)]
impl Settings {
    /// On a store that wants a master key, with one in a file that goes with the folder.
    pub(crate) fn on_store_with_key(url: &str) -> (Self, tempfile::TempDir) {
        #![allow(clippy::unwrap_used)]
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = haechi_base::MasterKey::generate();
        std::fs::write(&path, key.to_base64().as_bytes()).unwrap();
        let settings = Self {
            master_key_file: Some(path),
            ..Self::on_store(url)
        };
        (settings, folder)
    }
}

fn in_order(mut names: Vec<String>) -> Option<String> {
    names.sort();
    (!names.is_empty()).then(|| names.join(","))
}

fn fingerprint(secrets: &Secrets, value: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(secrets.subkey("operator/settings-fingerprint").as_ref());
    hash.update(value);
    hash.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use haechi_base::MasterKey;

    use super::*;

    #[test]
    fn what_is_each_nodes_own_is_not_compared_and_order_does_not_matter() {
        let secrets = Secrets::new(MasterKey::generate());
        let node = |etcd: &[&str], listen: &str| Settings {
            etcd: etcd.iter().map(|url| (*url).to_owned()).collect(),
            listen: Some(listen.parse().unwrap()),
            country: Some("KR".to_owned()),
            ..Settings::on_store("postgres://me@localhost,127.0.0.1:5433/haechi")
        };
        let one = node(&["http://a:2379", "http://b:2379"], "127.0.0.1:1").alike(&secrets);
        let two = node(&["http://b:2379", "http://a:2379"], "127.0.0.1:2").alike(&secrets);
        assert_eq!(one, two);
        assert_eq!(one["store"], "127.0.0.1:5433,localhost:5432");
        let other = Settings {
            country: Some("JP".to_owned()),
            ..Settings::default()
        };
        assert_ne!(one["country"], other.alike(&secrets)["country"]);
    }

    #[test]
    fn a_secret_is_told_by_a_fingerprint_that_another_key_cannot_compare() {
        let one = Secrets::new(MasterKey::generate());
        let two = Secrets::new(MasterKey::generate());
        assert_eq!(fingerprint(&one, "token"), fingerprint(&one, "token"));
        assert_ne!(fingerprint(&one, "token"), fingerprint(&one, "other"));
        assert_ne!(fingerprint(&one, "token"), fingerprint(&two, "token"));
    }
}
