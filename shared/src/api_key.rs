//! API keys: a public id that may be logged and a secret of which only a keyed hash is stored.
//!
//! `gp_<16 hex digits: id>_<40 hex digits: secret><8 hex digits: checksum>`. The checksum refuses garbage before any
//! look-up; the fixed shape lets secret scanners find a leaked key.

use ring::{digest, hmac};

const PREFIX: &str = "gp_";
const ID_LEN: usize = 16;
const SECRET_LEN: usize = 40;
const CHECKSUM_LEN: usize = 8;

/// Random octets that one key is made of.
pub const ENTROPY_LEN: usize = (ID_LEN + SECRET_LEN) / 2;

/// A well-formed key; whether it is a known one is for the store to say.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    id: String,
    secret: String,
}

/// Keys the hash that is stored, so that a stolen table does not let anyone test guesses.
pub struct HashSecret(hmac::Key);

impl ApiKey {
    #[must_use]
    pub fn from_entropy(entropy: [u8; ENTROPY_LEN]) -> Self {
        let (id, secret) = entropy.split_at(ID_LEN / 2);
        Self { id: hex(id), secret: hex(secret) }
    }

    /// A key with the id of another: the same client, a new secret. `None` when `id` is no id of a key.
    #[must_use]
    pub fn renewed(id: &str, entropy: [u8; ENTROPY_LEN]) -> Option<Self> {
        let is_id = id.len() == ID_LEN && id.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'));
        is_id.then(|| Self { id: id.to_owned(), secret: Self::from_entropy(entropy).secret })
    }

    /// `None` for anything that is not a key, wrong checksums included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let (secret, checksum) = rest.split_at_checked(SECRET_LEN)?;
        let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let well_formed = id.len() == ID_LEN && checksum.len() == CHECKSUM_LEN && is_hex(id) && is_hex(rest);
        let key = Self { id: id.to_owned(), secret: secret.to_owned() };
        (well_formed && key.checksum() == checksum).then_some(key)
    }

    /// Names the key in logs, counters and limits; not a secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The whole key as its owner has to send it. Shown once, at creation.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}{}", self.id, self.secret, self.checksum())
    }

    /// What is stored: HMAC-SHA-256 (RFC 2104) over id and secret.
    #[must_use]
    pub fn keyed_hash(&self, secret: &HashSecret) -> Vec<u8> {
        hmac::sign(&secret.0, self.hashed_text().as_bytes()).as_ref().to_vec()
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, keyed_hash: &[u8], secret: &HashSecret) -> bool {
        hmac::verify(&secret.0, self.hashed_text().as_bytes(), keyed_hash).is_ok()
    }

    fn hashed_text(&self) -> String {
        format!("{}.{}", self.id, self.secret)
    }

    fn checksum(&self) -> String {
        let digest = digest::digest(&digest::SHA256, self.hashed_text().as_bytes());
        hex(digest.as_ref()).chars().take(CHECKSUM_LEN).collect()
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey({})", self.id)
    }
}

impl HashSecret {
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// 16 hexadecimal digits that stand for a text in logs: the same each time, and nothing to guess from without the
    /// secret. No key hash is one, as those are over an id, a dot and a secret.
    #[must_use]
    pub fn pseudonym(&self, text: &str) -> String {
        let tag = hmac::sign(&self.0, format!("pseudonym {text}").as_bytes());
        hex(tag.as_ref().get(..8).unwrap_or_default())
    }

    /// A hash that is the same on all instances, and that nobody without the secret can aim at.
    #[must_use]
    pub fn hash(&self, text: &str) -> u64 {
        let tag = hmac::sign(&self.0, format!("hash {text}").as_bytes());
        tag.as_ref().iter().take(8).fold(0, |hash, octet| hash << 8 | u64::from(*octet))
    }
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_stable_and_depends_on_the_secret() {
        let [one, other] = ["one", "other"].map(HashSecret::new);
        assert_eq!(one.pseudonym("ann"), one.pseudonym("ann"));
        assert_ne!(one.pseudonym("ann"), other.pseudonym("ann"));
        assert_ne!(one.pseudonym("ann"), one.pseudonym("bob"));
        assert_eq!(one.pseudonym("ann").len(), 16);
    }

    fn key() -> ApiKey {
        ApiKey::from_entropy([7; ENTROPY_LEN])
    }

    #[test]
    fn a_revealed_key_parses_to_itself() {
        assert_eq!(ApiKey::parse(&key().reveal()), Some(key()));
        assert_eq!(key().reveal().len(), 68);
    }

    #[test]
    fn a_key_with_any_changed_digit_is_refused_without_a_look_up() {
        let text = key().reveal();
        for position in 0..text.len() {
            let changed: String = text
                .char_indices()
                .map(|(i, c)| if i == position { if c == '8' { '9' } else { '8' } } else { c })
                .collect();
            assert_eq!(ApiKey::parse(&changed), None, "position {position}");
        }
        for garbage in ["", "gp_", "gp__", "gp_é_é", &text[1..], &text[..67], &format!("{text}0"), &text.to_uppercase()]
        {
            assert_eq!(ApiKey::parse(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn only_the_same_key_under_the_same_secret_matches_the_stored_hash() {
        let stored = key().keyed_hash(&HashSecret::new("one"));
        assert!(key().matches(&stored, &HashSecret::new("one")));
        assert!(!key().matches(&stored, &HashSecret::new("two")));
        assert!(!ApiKey::from_entropy([8; ENTROPY_LEN]).matches(&stored, &HashSecret::new("one")));
        assert!(!key().matches(&[], &HashSecret::new("one")));
    }

    #[test]
    fn debug_output_never_shows_the_secret() {
        assert_eq!(format!("{:?}", key()), "ApiKey(0707070707070707)");
    }
}
