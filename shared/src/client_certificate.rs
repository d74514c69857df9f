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

/// Names a certificate: the SHA-256 of its DER, and that of its issuer and subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    thumbprint: Vec<u8>,
    /// `None` where issuer and subject cannot be found.
    subject: Option<String>,
}

impl ClientCertificate {
    /// Reads PEM (RFC 7468 §5). Of several certificates the first is the client's own (RFC 8446 §4.4.2).
    ///
    /// `None` for what is none; of the DER only that it is one whole SEQUENCE is demanded.
    #[must_use]
    pub fn parse(pem: &str) -> Option<Self> {
        if MAX_PEM_OCTETS < pem.len() {
            return None;
        }
        let (text, _) = pem.split_once(BEGIN)?.1.split_once(END)?;
        let text: String = text.split_ascii_whitespace().collect();
        let der = STANDARD.decode(text).ok().filter(|der| is_one_sequence(der))?;
        let subject = issuer_and_subject(&der).map(|names| hex(digest::digest(&digest::SHA256, &names).as_ref()));
        Some(Self { thumbprint: digest::digest(&digest::SHA256, &der).as_ref().to_vec(), subject })
    }

    /// Names of the caller who shows it, the more special one first: `cert:<fingerprint>`, and `subject:<digest>` for every
    /// certificate that this issuer made out to this subject.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let subject = self.subject.as_ref().map(|digest| format!("subject:{digest}"));
        std::iter::once(format!("cert:{}", self.fingerprint())).chain(subject).collect()
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

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// A SEQUENCE and nothing after it.
fn is_one_sequence(der: &[u8]) -> bool {
    element(der).is_some_and(|(whole, contents, rest)| {
        whole.first() == Some(&SEQUENCE) && !contents.is_empty() && rest.is_empty()
    })
}

/// The DER of both names (RFC 5280 §4.1), as it is: compared octet by octet, no two spellings of a name are one.
fn issuer_and_subject(der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate, _) = element(der)?;
    let (_, to_be_signed, _) = element(certificate)?;
    let mut rest = to_be_signed;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    let mut fields = [&[][..]; 5];
    for field in &mut fields {
        (*field, _, rest) = element(rest)?;
    }
    let [_, _, issuer, _, subject] = fields;
    let are_names = [issuer, subject].iter().all(|name| name.first() == Some(&SEQUENCE));
    are_names.then(|| [issuer, subject].concat())
}

/// The first element of some DER, whole and its contents alone, and what follows it (X.690 §8.1).
fn element(der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (header, length) = match der {
        [_, length @ 0..=0x7f, ..] => (2, usize::from(*length)),
        [_, 0x81, length, ..] => (3, usize::from(*length)),
        [_, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        _ => return None,
    };
    let (whole, rest) = der.split_at_checked(header + length)?;
    Some((whole, whole.get(header..)?, rest))
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

    /// A certificate of a serial number, as far as its names.
    fn certificate(serial: u8, issuer: &[u8], subject: &[u8]) -> ClientCertificate {
        let sequence = |parts: &[&[u8]]| {
            let contents = parts.concat();
            [&[SEQUENCE, u8::try_from(contents.len()).expect("short")][..], &contents].concat()
        };
        let (issuer, subject) = (sequence(&[issuer]), sequence(&[subject]));
        let to_be_signed =
            sequence(&[&[VERSION, 3, 2, 1, 2], &[2, 1, serial], &sequence(&[]), &issuer, &sequence(&[]), &subject]);
        ClientCertificate::parse(&pem(&sequence(&[&to_be_signed]))).expect("a certificate")
    }

    #[test]
    fn certificates_of_one_subject_by_one_issuer_have_a_name_in_common() {
        let [one, renewed] = [1, 2].map(|serial| certificate(serial, b"ca", b"web"));
        assert_ne!(one.ids()[0], renewed.ids()[0]);
        assert_eq!(one.ids()[1], renewed.ids()[1]);
        for other in [certificate(1, b"ca", b"shop"), certificate(1, b"rogue", b"web"), certificate(1, b"caw", b"eb")] {
            assert_ne!(one.ids()[1], other.ids()[1]);
        }
        let nameless = ClientCertificate::parse(&pem(&[SEQUENCE, 3, 2, 1, 5])).expect("a certificate");
        assert_eq!(nameless.ids().len(), 1);
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
