//! RSA keys made at run time, so that no private key is written down: ring signs with them but does not make any.

use std::sync::OnceLock;

use num_bigint::BigUint;
use ring::{
    rand::{SecureRandom, SystemRandom},
    rsa::{KeyPair, KeyPairComponents, PublicKeyComponents},
};

const PUBLIC_EXPONENT: u32 = 65_537;

/// Bases of Miller and Rabin; a composite of random origin passes one of them hardly ever.
const BASES: [u32; 8] = [2, 3, 5, 7, 11, 13, 17, 19];

/// A 2048-bit key, made once for all tests.
pub(super) fn key_pair() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(generate)
}

fn generate() -> KeyPair {
    loop {
        let (one, other) = (prime(), prime());
        // ring takes the larger prime first.
        let (p, q) = if other < one { (one, other) } else { (other, one) };
        let (e, below_p, below_q) = (BigUint::from(PUBLIC_EXPONENT), &p - 1_u32, &q - 1_u32);
        let (Some(d), Some(q_inverse)) = (e.modinv(&(&below_p * &below_q)), q.modinv(&p)) else { continue };
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: (&p * &q).to_bytes_be(), e: e.to_bytes_be() },
            dP: (&d % &below_p).to_bytes_be(),
            dQ: (&d % &below_q).to_bytes_be(),
            d: d.to_bytes_be(),
            qInv: q_inverse.to_bytes_be(),
            p: p.to_bytes_be(),
            q: q.to_bytes_be(),
        };
        return KeyPair::from_components(&components).expect("a key that ring takes");
    }
}

/// 1024 bits, the two highest of them set, so that a product has 2048.
fn prime() -> BigUint {
    loop {
        let mut octets = [0; 128];
        SystemRandom::new().fill(&mut octets).expect("randomness");
        octets[0] |= 0xc0;
        octets[127] |= 1;
        let candidate = BigUint::from_bytes_be(&octets);
        let has_factor = (3..2_000_u32).step_by(2).any(|factor| &candidate % factor == BigUint::ZERO);
        if !has_factor && BASES.iter().all(|base| is_probably_prime(&candidate, *base)) {
            return candidate;
        }
    }
}

fn is_probably_prime(candidate: &BigUint, base: u32) -> bool {
    let below = candidate - 1_u32;
    let twos = below.trailing_zeros().expect("not zero");
    let mut power = BigUint::from(base).modpow(&(&below >> twos), candidate);
    if power == BigUint::from(1_u32) || power == below {
        return true;
    }
    (1..twos).any(|_| {
        power = power.modpow(&BigUint::from(2_u32), candidate);
        power == below
    })
}
