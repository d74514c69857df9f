//! How long an RSA public key is, read from its DER (X.690), and what lengths DKIM takes (RFC 8301 §3.2).

/// Signatures with shorter RSA keys are not valid (RFC 8301 §3.2).
pub const MIN_RSA_BITS: usize = 1024;
/// RSA keys shorter than this are weak: signers should not use them (RFC 8301 §3.2).
pub const STRONG_RSA_BITS: usize = 2048;
/// Longer keys cost more time than any signer asks for.
pub const MAX_RSA_BITS: usize = 8192;

/// RSA encryption, as the content of an OBJECT IDENTIFIER (RFC 8017 appendix A.1).
pub(crate) const RSA_ENCRYPTION: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Bits of the modulus of an RSA public key: `SubjectPublicKeyInfo` (RFC 5280 §4.1) or `RSAPublicKey` (RFC 8017 appendix
/// A.1.1). RFC 6376 names the second and shows the first; signers use both.
#[must_use]
pub fn rsa_bits(key: &[u8]) -> Option<usize> {
    let outer = only(SEQUENCE, key)?;
    let key = element(SEQUENCE, outer).map_or(Some(outer), |(algorithm, rest)| bare_key(algorithm, rest))?;
    let (modulus, rest) = element(INTEGER, key)?;
    let exponent = only(INTEGER, rest)?;
    let is_odd = |number: &[u8]| number.last().is_some_and(|octet| octet & 1 == 1);
    // With an exponent of 1 every text is its own signature.
    let usable = is_odd(modulus) && is_odd(exponent) && 1 < bits(exponent)?;
    bits(modulus).filter(|_| usable)
}

/// The content of the `RSAPublicKey` inside a `SubjectPublicKeyInfo`.
fn bare_key<'a>(algorithm: &[u8], rest: &'a [u8]) -> Option<&'a [u8]> {
    let (identifier, _) = element(OBJECT_IDENTIFIER, algorithm)?;
    let (unused_bits, key) = only(BIT_STRING, rest)?.split_first()?;
    let is_rsa = identifier == RSA_ENCRYPTION && *unused_bits == 0;
    only(SEQUENCE, key).filter(|_| is_rsa)
}

/// Significant bits of a DER INTEGER above zero.
fn bits(integer: &[u8]) -> Option<usize> {
    let sign = integer.first()?;
    let number = if *sign == 0 { integer.get(1..)? } else { integer };
    let first = number.first().filter(|first| **first != 0)?;
    let is_negative = 0x80 <= *sign;
    (!is_negative).then(|| number.len() * 8 - first.leading_zeros() as usize)
}

/// The content of the one element that `der` holds.
fn only(tag: u8, der: &[u8]) -> Option<&[u8]> {
    element(tag, der).filter(|(_, rest)| rest.is_empty()).map(|(content, _)| content)
}

/// The content of the first element, if it has that tag, and what follows it. Lengths have up to two octets (X.690
/// §8.1.3): a key record holds no longer element.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match der {
        [found, ..] if *found != tag => return None,
        [_, length @ ..=0x7f, rest @ ..] | [_, 0x81, length, rest @ ..] => (usize::from(*length), rest),
        [_, 0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}
