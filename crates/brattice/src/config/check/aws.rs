//! AWS: which regions, who the gateway is there, and that whoever speaks of one has it.

use super::{Checker, Pem, named};
use crate::config::checked::{Aws, AwsLogin, SecretSource, TargetConfig, TargetCredential};
use crate::config::place::Place;
use crate::config::raw::{RawAws, RawAwsEndpoints, RawAwsInstance, RawAwsKeys, RawAwsWebIdentity};
use brattice_identity::lend::{is_metadata_address, is_region};
use std::collections::BTreeMap;
use std::time::Duration;

/// Where EKS puts a pod's own token.
const POD_TOKEN: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
/// How long a secret is kept.
const SECRET_AGE: Duration = Duration::from_secs(60);
/// How long one may be kept.
const SECRET_AGE_MOST: Duration = Duration::from_secs(3600);

impl Checker<'_> {
    pub(super) fn aws(&mut self, raw: BTreeMap<String, RawAws>) -> BTreeMap<String, Aws> {
        named(self, "aws", raw, false)
            .into_iter()
            .filter_map(|(name, at, raw)| Some((name, self.one_aws(&at, raw)?)))
            .collect()
    }

    fn one_aws(&mut self, at: &Place, raw: RawAws) -> Option<Aws> {
        let region = raw.region.and_then(|r| self.region(&at.key("region"), r));
        let keys = match (raw.keys, raw.web_identity, raw.container, raw.instance) {
            (Some(keys), None, None, None) => self.aws_keys(&at.key("keys"), keys),
            (None, Some(web), None, None) => self.web_identity(&at.key("web_identity"), web),
            (None, None, Some(_), None) => Some(AwsLogin::Container),
            (None, None, None, Some(instance)) => self.instance(&at.key("instance"), instance),
            _ => {
                self.bad(
                    at,
                    "must say in exactly one way who the gateway is there",
                    "give one of keys = { access_key_id, secret_access_key }, web_identity = { role }, container = {} or instance = {}",
                );
                None
            }
        };
        let ca = raw
            .ca
            .map(|ca| self.pem(&at.key("ca"), &ca, Pem::Certificates));
        let (secretsmanager, sts) = self.endpoints(&at.key("endpoints"), raw.endpoints);
        let secret_age_max = match raw.secret_age_max.as_deref() {
            Some("0s") => Duration::ZERO,
            _ => self.span(
                &at.key("secret_age_max"),
                raw.secret_age_max,
                SECRET_AGE,
                SECRET_AGE_MOST,
            ),
        };
        Some(Aws {
            region: region?,
            keys: keys?,
            secretsmanager,
            sts,
            ca: match ca {
                Some(given) => Some(given?),
                None => None,
            },
            secret_age_max,
        })
    }

    fn region(&mut self, at: &Place, region: String) -> Option<String> {
        if is_region(&region) {
            return Some(region);
        }
        self.wrong(
            at,
            &region,
            "is not a region of AWS",
            "write its name, e.g. eu-central-1, without the letter of a zone",
        );
        None
    }

    fn aws_keys(&mut self, at: &Place, raw: RawAwsKeys) -> Option<AwsLogin> {
        let id = self.secret(&at.key("access_key_id"), &raw.access_key_id?, false);
        let secret = self.secret(&at.key("secret_access_key"), &raw.secret_access_key?, false);
        let token = raw
            .session_token
            .map(|text| self.secret(&at.key("session_token"), &text, false));
        Some(AwsLogin::Keys {
            id: id?,
            secret: secret?,
            token: match token {
                Some(given) => Some(given?),
                None => None,
            },
        })
    }

    fn web_identity(&mut self, at: &Place, raw: RawAwsWebIdentity) -> Option<AwsLogin> {
        let role = raw.role?;
        let token = match raw.token {
            Some(text) => self.secret(&at.key("token"), &text, false),
            None => Some(SecretSource::File(POD_TOKEN.into())),
        };
        if !is_role(&role) {
            self.wrong(
                &at.key("role"),
                &role,
                "is not the ARN of a role",
                "write it whole, e.g. arn:aws:iam::123456789012:role/brattice",
            );
            return None;
        }
        Some(AwsLogin::WebIdentity {
            role,
            token: token?,
        })
    }

    fn instance(&mut self, at: &Place, raw: RawAwsInstance) -> Option<AwsLogin> {
        if let Some(endpoint) = &raw.endpoint
            && !is_metadata_address(endpoint)
        {
            self.wrong(
                &at.key("endpoint"),
                endpoint,
                "is no address of a metadata service",
                "take it out, or write http://169.254.169.254 or http://[fd00:ec2::254]",
            );
            return None;
        }
        Some(AwsLogin::Instance { at: raw.endpoint })
    }

    fn endpoints(&mut self, at: &Place, raw: RawAwsEndpoints) -> (Option<String>, Option<String>) {
        let mut endpoint = |key: &str, given: Option<String>| {
            let at = at.key(key);
            let url = given.and_then(|text| self.url(&at, &text))?;
            if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
                self.wrong(
                    &at,
                    url.as_str(),
                    "is more than a host",
                    "write its beginning alone, e.g. https://vpce-0a1b2c3d.secretsmanager.eu-central-1.vpce.amazonaws.com",
                );
                return None;
            }
            Some(url.to_string())
        };
        (
            endpoint("secretsmanager", raw.secretsmanager),
            endpoint("sts", raw.sts),
        )
    }

    /// What a target takes from AWS is in a table of the bundle, and in its region.
    pub(super) fn aws_of(
        &mut self,
        targets: &BTreeMap<String, TargetConfig>,
        aws: &BTreeMap<String, Aws>,
        names: &[String],
    ) {
        for (name, target) in targets {
            let (of, secret) = match &target.credential {
                TargetCredential::Password(SecretSource::Aws(secret))
                | TargetCredential::Both(SecretSource::Aws(secret), _)
                | TargetCredential::PrivateKey(SecretSource::Aws(secret))
                | TargetCredential::AwsSecret(secret) => (&secret.aws, Some(secret)),
                TargetCredential::RdsIam(aws) => (aws, None),
                _ => continue,
            };
            let at = Place::root().keys(&["targets", name, target.credential.key()]);
            if !names.contains(of) {
                self.no_such(&at, of, "name in [aws]", names.iter().map(String::as_str));
            }
            let Some(here) = aws.get(of) else { continue };
            if let Some(there) = secret.and_then(|s| s.region())
                && there != here.region
            {
                self.wrong(
                    &at,
                    there,
                    format!(
                        "is the secret's region, and [aws.{of}] is in {}",
                        here.region
                    ),
                    "give that region a table of its own, or name the secret's replica in this one",
                );
            }
        }
    }
}

/// `arn:PARTITION:iam::ACCOUNT:role/PATH`.
fn is_role(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let plain = |t: &str| t.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    matches!(
        parts.as_slice(),
        ["arn", partition, "iam", "", account, role]
            if partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && role.strip_prefix("role/").is_some_and(|r| !r.is_empty() && plain(r))
    )
}
