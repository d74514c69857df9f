//! JWK sets (RFC 7517): the public keys of an issuer, each with the algorithms that it may be used for.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature;
use serde_json::{Map, Value};

use super::{TokenError, algorithm::Algorithm, strict_json};

/// Larger sets are refused unread.
pub const MAX_SET_OCTETS: usize = 64 * 1024;
/// Sets of more keys are refused.
pub const MAX_KEYS: usize = 100;
/// RSA keys of other lengths are not used: shorter ones are weak, longer ones cost more time than any issuer asks for.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The keys of one issuer that signatures can be verified with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Key>,
    ignored: usize,
}

/// Why a document is no JWK set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    #[error("the key set has more than {MAX_SET_OCTETS} octets")]
    TooLarge,
    #[error("the key set is no JSON object, or a member of it stands twice")]
    NotJson,
    #[error("the key set has no list of keys")]
    NoKeys,
    #[error("the key set has more than {MAX_KEYS} keys")]
    TooManyKeys,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<String>,
    algorithms: &'static [Algorithm],
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point (SEC 1 §2.3.3).
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl KeySet {
    /// Reads a set. Keys that cannot be used for signatures by our algorithms are passed over (RFC 7517 §5).
    ///
    /// # Errors
    /// When the document as a whole cannot be believed.
    pub fn parse(octets: &[u8]) -> Result<Self, KeySetError> {
        if MAX_SET_OCTETS < octets.len() {
            return Err(KeySetError::TooLarge);
        }
        let set = strict_json::object(octets).ok_or(KeySetError::NotJson)?;
        let listed = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::NoKeys)?;
        if MAX_KEYS < listed.len() {
            return Err(KeySetError::TooManyKeys);
        }
        let keys: Vec<Key> = listed.iter().filter_map(|key| Key::read(key.as_object()?)).collect();
        Ok(Self { ignored: listed.len() - keys.len(), keys })
    }

    /// How many keys can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many of the listed keys cannot be used.
    #[must_use]
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// The one key that a token may have been signed with. A token without `kid` is believed only where there is no
    /// choice.
    pub(super) fn key_for(&self, key_id: Option<&str>, algorithm: Algorithm) -> Result<&Key, TokenError> {
        let is_named = |key: &&Key| key_id.is_none() || key.id.as_deref() == key_id;
        let mut named = self.keys.iter().filter(is_named).peekable();
        if named.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        let mut fitting = named.filter(|key| key.algorithms.contains(&algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(TokenError::OtherAlgorithm),
            (Some(_), Some(_)) => Err(TokenError::AmbiguousKey),
        }
    }
}

impl Key {
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        // Whoever publishes the private part has no secret left.
        if jwk.contains_key("d") || !is_for_signatures(jwk)? {
            return None;
        }
        let (material, fitting): (_, &'static [Algorithm]) = match text(jwk, "kty")? {
            "RSA" => (rsa(jwk)?, &[Algorithm::Rs256, Algorithm::Ps256]),
            "EC" if text(jwk, "crv")? == "P-256" => (p256(jwk)?, &[Algorithm::Es256]),
            "OKP" if text(jwk, "crv")? == "Ed25519" => (Material::Ed25519(fixed(jwk, "x")?), &[Algorithm::EdDsa]),
            _ => return None,
        };
        Some(Self { id: optional_text(jwk, "kid")?.map(str::to_owned), algorithms: narrowed(jwk, fitting)?, material })
    }

    pub(super) fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        let verified = match &self.material {
            Material::Rsa { modulus, exponent } => {
                let key = signature::RsaPublicKeyComponents { n: modulus, e: exponent };
                let padding = match algorithm {
                    Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa => &signature::RSA_PKCS1_2048_8192_SHA256,
                };
                key.verify(padding, signed, signature)
            }
            Material::P256(point) => {
                signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            Material::Ed25519(point) => {
                signature::UnparsedPublicKey::new(&signature::ED25519, point).verify(signed, signature)
            }
        };
        verified.map_err(|_| TokenError::BadSignature)
    }
}

/// `use` and `key_ops`, where they stand, must speak of signatures (RFC 7517 §4.2, §4.3).
fn is_for_signatures(jwk: &Map<String, Value>) -> Option<bool> {
    let used_for = optional_text(jwk, "use")?.is_none_or(|used_for| used_for == "sig");
    let operations = match jwk.get("key_ops") {
        None => true,
        Some(operations) => operations.as_array()?.iter().any(|operation| operation == "verify"),
    };
    Some(used_for && operations)
}

/// The algorithms that fit the kind of key, or the one of them that it names itself.
fn narrowed(jwk: &Map<String, Value>, fitting: &'static [Algorithm]) -> Option<&'static [Algorithm]> {
    let Some(name) = optional_text(jwk, "alg")? else { return Some(fitting) };
    let named = Algorithm::parse(name)?;
    fitting.iter().position(|algorithm| *algorithm == named).and_then(|at| fitting.get(at..=at))
}

fn rsa(jwk: &Map<String, Value>) -> Option<Material> {
    let (modulus, exponent) = (octets(jwk, "n")?, octets(jwk, "e")?);
    // No leading zero (RFC 7518 §6.3.1.1), so that length tells strength.
    let bits = modulus.len() * 8 - modulus.first().filter(|first| **first != 0)?.leading_zeros() as usize;
    RSA_BITS.contains(&bits).then_some(Material::Rsa { modulus, exponent })
}

fn p256(jwk: &Map<String, Value>) -> Option<Material> {
    let (x, y) = (fixed(jwk, "x")?, fixed(jwk, "y")?);
    Some(Material::P256([vec![4], x, y].concat()))
}

/// 32 octets.
fn fixed(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    octets(jwk, name).filter(|octets| octets.len() == 32)
}

fn octets(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text(jwk, name)?).ok()
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    jwk.get(name)?.as_str()
}

/// The outer `None` for what is there and no text.
fn optional_text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Option<Option<&'a str>> {
    jwk.get(name).map_or(Some(None), |value| value.as_str().map(Some))
}
