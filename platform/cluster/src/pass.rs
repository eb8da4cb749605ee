//! The pass that nodes show each other: who holds the master key is a node of this cluster, and nobody else is.

use std::time::Duration;

use haechi_base::{Secrets, Time};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::node::Node;

/// How long a pass is good: it is made anew for each request, and clocks may differ.
const PASS_LIFE: Duration = Duration::from_secs(5 * 60);

/// What no other token of this program says: each kind has a key of its own, and this name besides.
const ISSUER: &str = "haechi-node";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    exp: i64,
    #[serde(flatten)]
    node: Node,
}

/// Makes and checks passes (RFC 7519, HMAC-SHA256 with a subkey of the master key).
pub(crate) struct Passes {
    header: Header,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Passes {
    pub(crate) fn new(secrets: &Secrets) -> Self {
        let key = secrets.subkey("cluster/node-pass");
        let mut validation = Validation::new(Algorithm::HS256);
        // The time is compared by our own clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        validation.set_issuer(&[ISSUER]);
        Self {
            header: Header::new(Algorithm::HS256),
            encoding: EncodingKey::from_secret(key.as_ref()),
            decoding: DecodingKey::from_secret(key.as_ref()),
            validation,
        }
    }

    /// A pass of `node`; empty, and so refused, if it cannot be signed.
    pub(crate) fn of(&self, node: &Node, now: Time) -> String {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            exp: (now + PASS_LIFE).seconds(),
            node: node.clone(),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.encoding).unwrap_or_else(|error| {
            tracing::error!(%error, "a node's pass cannot be signed");
            String::new()
        })
    }

    /// The node that shows a pass. Without a `now` an old one is good too: for who asks what time it is.
    pub(crate) fn check(&self, pass: &str, now: Option<Time>) -> Option<Node> {
        let claims = jsonwebtoken::decode::<Claims>(pass, &self.decoding, &self.validation)
            .ok()?
            .claims;
        let is_over = now.is_some_and(|now| claims.exp <= now.seconds());
        (!is_over).then_some(claims.node)
    }
}

#[cfg(test)]
mod tests {
    use haechi_base::{MasterKey, uuid::Uuid};

    use super::*;
    use crate::node::NodeId;

    #[test]
    fn a_pass_is_good_under_the_same_key_and_for_a_while() {
        let now = Time::from_micros(1_700_000_000_000_000);
        let node = Node {
            node_id: NodeId::from_uuid(Uuid::from_u128(7)),
            site: "pangyo".to_owned(),
            url: "http://10.0.0.7:8480".to_owned(),
            version: "0.1.0".to_owned(),
            started_at: now,
        };
        let passes = Passes::new(&Secrets::new(MasterKey::generate()));
        let pass = passes.of(&node, now);
        assert_eq!(passes.check(&pass, Some(now)), Some(node.clone()));
        let later = now + PASS_LIFE;
        assert_eq!(passes.check(&pass, Some(later)), None, "it is over");
        assert_eq!(passes.check(&pass, None), Some(node), "but still tells who asks");
        let others = Passes::new(&Secrets::new(MasterKey::generate()));
        assert_eq!(others.check(&pass, Some(now)), None, "another key");
        assert_eq!(passes.check("", Some(now)), None);
        assert_eq!(passes.check(&pass.replace('.', "x"), Some(now)), None);
    }
}
