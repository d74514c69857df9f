//! A client's X.509 certificate, of which only the thumbprint is used: whoever terminates TLS has verified the chain and
//! that the client has the private key.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::digest;

use crate::api_key::hex;

/// Longer certificates are refused unread.
const MAX_PEM_OCTETS: usize = 16 * 1024;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Names a certificate: the SHA-256 of its DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    thumbprint: Vec<u8>,
}

impl ClientCertificate {
    /// Reads PEM (RFC 7468 §5). Of several certificates the first is the client's own (RFC 8446 §4.4.2).
    ///
    /// `None` for what is none; of the DER only that it is one whole SEQUENCE is looked at.
    #[must_use]
    pub fn parse(pem: &str) -> Option<Self> {
        if MAX_PEM_OCTETS < pem.len() {
            return None;
        }
        let (text, _) = pem.split_once(BEGIN)?.1.split_once(END)?;
        let text: String = text.split_ascii_whitespace().collect();
        let der = STANDARD.decode(text).ok().filter(|der| is_one_sequence(der))?;
        Some(Self { thumbprint: digest::digest(&digest::SHA256, &der).as_ref().to_vec() })
    }

    /// 64 hexadecimal digits; names the certificate in logs and in the table.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(&self.thumbprint)
    }

    /// Whether `x5t#S256` (RFC 8705 §3.1) means this certificate.
    #[must_use]
    pub fn is_named_by(&self, x5t_s256: &str) -> bool {
        URL_SAFE_NO_PAD.decode(x5t_s256).is_ok_and(|thumbprint| thumbprint == self.thumbprint)
    }
}

/// X.690 §8.1.3: a SEQUENCE whose length is that of the rest.
fn is_one_sequence(der: &[u8]) -> bool {
    let (length, rest) = match der {
        [0x30, length @ 1..=0x7f, rest @ ..] | [0x30, 0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x30, 0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return false,
    };
    length == rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(der: &[u8]) -> String {
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
    }

    #[test]
    fn a_certificate_is_named_by_the_digest_of_its_der() {
        let der = [0x30, 3, 2, 1, 5];
        let certificate = ClientCertificate::parse(&pem(&der)).expect("a certificate");
        let digest = digest::digest(&digest::SHA256, &der);
        assert_eq!(certificate.fingerprint(), hex(digest.as_ref()));
        assert!(certificate.is_named_by(&URL_SAFE_NO_PAD.encode(digest)));
        for other in ["", "AAAA", &STANDARD.encode(digest), &URL_SAFE_NO_PAD.encode([0; 32])] {
            assert!(!certificate.is_named_by(other), "{other}");
        }
        let folded = pem(&der).replace('\n', "\r\n");
        assert_eq!(ClientCertificate::parse(&folded), Some(certificate.clone()));
        let chain = format!("{}{}", pem(&der), pem(&[0x30, 1, 0]));
        assert_eq!(ClientCertificate::parse(&chain), Some(certificate));
    }

    #[test]
    fn what_is_no_certificate_is_refused_without_a_look_up() {
        let long = pem(&[0x30; MAX_PEM_OCTETS]);
        for refused in [
            "",
            BEGIN,
            &format!("{BEGIN}{END}"),
            &format!("{END}{BEGIN}"),
            &format!("{BEGIN}!{END}"),
            &pem(&[0x31, 1, 0]),
            &pem(&[0x30, 2, 0]),
            &pem(&[0x30, 0x80, 0, 0]),
            &long,
        ] {
            assert_eq!(ClientCertificate::parse(refused), None, "{refused:.80}");
        }
    }
}
