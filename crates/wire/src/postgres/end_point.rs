//! The `tls-server-end-point` channel binding (RFC 5929, section 4): a hash of the server's
//! certificate, by the hash of its signature. Reads just enough DER to find that algorithm. Never
//! here: whether the certificate is to be trusted.

use aws_lc_rs::digest::{self, Algorithm};

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// The binding data for this certificate (DER), or nothing where none is defined, as for Ed25519, or
/// where the algorithm is told by parameters, as for RSASSA-PSS. There SCRAM goes without binding.
#[must_use]
pub fn tls_server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (certificate_body, after) = element(certificate, SEQUENCE)?;
    let (_to_be_signed, rest) = element(certificate_body, SEQUENCE)?;
    let (algorithm, _signature) = element(rest, SEQUENCE)?;
    let (object, _parameters) = element(algorithm, OBJECT_IDENTIFIER)?;
    if !after.is_empty() {
        return None;
    }
    Some(
        digest::digest(hash_of(object)?, certificate)
            .as_ref()
            .to_vec(),
    )
}

/// The hash to use for a signature algorithm; SHA-256 stands in for MD5 and SHA-1.
fn hash_of(object: &[u8]) -> Option<&'static Algorithm> {
    // 1.2.840.113549.1.1.x: RSA with PKCS #1 padding (RFC 8017); 1.2.840.10045.4.x: ECDSA (RFC 5758).
    match object {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 4 | 5 | 11]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01 | 0x03, 1 | 2]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01] => Some(&digest::SHA256),
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 12]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 3] => Some(&digest::SHA384),
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 13]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 4] => Some(&digest::SHA512),
        _ => None,
    }
}

/// The content of the DER element at the start, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (long, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            let length = long
                .iter()
                .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    (found == tag).then_some(())?;
    rest.split_at_checked(length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::tls_server_end_point;
    use aws_lc_rs::digest;

    /// A certificate's outer shape with this algorithm identifier.
    fn certificate(object: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[tag, 0x82][..], &length, content].concat()
        };
        let algorithm = wrap(0x30, &[wrap(0x06, object), vec![5, 0]].concat());
        let signature = wrap(0x03, &[0; 300]);
        wrap(
            0x30,
            &[wrap(0x30, &[0xa0; 500]), algorithm, signature].concat(),
        )
    }

    #[test]
    fn hashes_the_certificate_by_the_hash_of_its_signature() {
        let rsa = |last| certificate(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last]);
        let ecdsa = |last| certificate(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, last]);
        let table = [
            (rsa(5), &digest::SHA256),
            (rsa(11), &digest::SHA256),
            (rsa(12), &digest::SHA384),
            (rsa(13), &digest::SHA512),
            (ecdsa(2), &digest::SHA256),
            (ecdsa(3), &digest::SHA384),
            (ecdsa(4), &digest::SHA512),
        ];
        for (certificate, hash) in table {
            let expected = digest::digest(hash, &certificate);
            assert_eq!(
                tls_server_end_point(&certificate).unwrap(),
                expected.as_ref()
            );
        }
    }

    #[test]
    fn gives_nothing_where_nothing_is_defined() {
        let ed25519 = certificate(&[0x2b, 0x65, 0x70]);
        let pss = certificate(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10]);
        assert_eq!(tls_server_end_point(&ed25519), None);
        assert_eq!(tls_server_end_point(&pss), None);
    }

    #[test]
    fn never_panics_on_a_certificate_cut_short() {
        let whole = certificate(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
        for cut in 0..whole.len() {
            assert_eq!(tls_server_end_point(whole.get(..cut).unwrap()), None);
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(tls_server_end_point(&longer), None);
    }
}
