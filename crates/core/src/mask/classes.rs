//! Classes of sensitive data: the built-in ones and those of the bundle.
//!
//! Lives here: names, nesting, which detectors find a class and what a hit does. Never: who may see it (policy).

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The longest class name; it stands in the marker `[masked:name]`.
pub const NAME_BYTES_MAX: usize = 32;
/// The longest pattern of a custom class.
pub const PATTERN_BYTES_MAX: usize = 1024;

/// What a detector's hit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnHit {
    /// It is counted and told, and the data passes.
    Report,
    /// It is replaced.
    Mask,
}

/// A detector that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Finder {
    /// Addresses with a domain.
    Email,
    /// 13 to 19 digits of a known issuer that pass Luhn.
    PaymentCard,
    /// A known country's length that passes mod 97.
    Iban,
    /// `123-45-6789` of a range that was ever issued.
    UsSsn,
    /// A telephone number.
    Phone,
    /// IPv4 and IPv6.
    IpAddress,
    /// A signed or encrypted token whose header names an algorithm.
    Jwt,
    /// Keys of cloud and service providers, known by their prefix.
    CloudKey,
    /// A PEM block with a private key.
    PrivateKey,
    /// A URL that carries a password.
    UrlPassword,
}

impl Finder {
    /// Every one.
    pub const ALL: &'static [Finder] = &[
        Finder::Email,
        Finder::PaymentCard,
        Finder::Iban,
        Finder::UsSsn,
        Finder::Phone,
        Finder::IpAddress,
        Finder::Jwt,
        Finder::CloudKey,
        Finder::PrivateKey,
        Finder::UrlPassword,
    ];

    /// The name in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Finder::Email => "email",
            Finder::PaymentCard => "payment_card",
            Finder::Iban => "iban",
            Finder::UsSsn => "us_ssn",
            Finder::Phone => "phone",
            Finder::IpAddress => "ip_address",
            Finder::Jwt => "jwt",
            Finder::CloudKey => "cloud_key",
            Finder::PrivateKey => "private_key",
            Finder::UrlPassword => "url_password",
        }
    }
}

/// A class of sensitive data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Its name, as in `Class::"email"`.
    pub name: String,
    /// The classes it belongs to.
    pub within: Vec<String>,
    /// The built-in detectors that find it.
    pub finders: Vec<Finder>,
    /// Patterns of its own.
    pub patterns: Vec<String>,
    /// What a hit does.
    pub on_hit: OnHit,
}

/// A class as the bundle writes it. One with a built-in name changes that class: what is left out stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSpec {
    /// Its name: lower case letters, digits and `_`.
    pub name: String,
    /// The classes it belongs to.
    #[serde(default)]
    pub within: Option<Vec<String>>,
    /// Names of built-in detectors.
    #[serde(default)]
    pub detectors: Option<Vec<String>>,
    /// Patterns (regular expressions over bytes, ASCII classes).
    #[serde(default)]
    pub patterns: Option<Vec<String>>,
    /// What a hit does.
    #[serde(default)]
    pub on_hit: Option<OnHit>,
}

/// Why a bundle's classes cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassError {
    /// Not a name.
    #[error(
        "class `{0}`: a name is 1 to 32 lower case letters, digits and `_`, and begins with a letter"
    )]
    Name(String),
    /// Named twice.
    #[error("class `{0}` is defined twice")]
    Twice(String),
    /// Within a class that does not exist.
    #[error("class `{class}` is within `{parent}`, which does not exist")]
    Parent {
        /// The class.
        class: String,
        /// What it names.
        parent: String,
    },
    /// Within itself.
    #[error("class `{0}` is within itself")]
    Cycle(String),
    /// No such detector.
    #[error("class `{class}`: there is no detector `{detector}`")]
    Detector {
        /// The class.
        class: String,
        /// What it names.
        detector: String,
    },
    /// A pattern that does not compile, is too long, or matches nothing at all.
    #[error("class `{class}`: pattern {index}: {reason}")]
    Pattern {
        /// The class.
        class: String,
        /// Which, from 1.
        index: usize,
        /// Why.
        reason: String,
    },
}

/// All classes, validated.
#[derive(Debug, Clone)]
pub struct Classes {
    by_name: BTreeMap<String, Class>,
}

impl Default for Classes {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Classes {
    /// The classes that are always there.
    pub fn builtin() -> Self {
        use Finder as F;
        let rows: &[(&str, &[&str], &[Finder], OnHit)] = &[
            ("personal", &[], &[], OnHit::Mask),
            ("email", &["personal"], &[F::Email], OnHit::Mask),
            ("us_ssn", &["personal"], &[F::UsSsn], OnHit::Mask),
            ("phone", &["personal"], &[F::Phone], OnHit::Report),
            ("ip_address", &["personal"], &[F::IpAddress], OnHit::Report),
            ("person_name", &["personal"], &[], OnHit::Mask),
            ("postal_address", &["personal"], &[], OnHit::Mask),
            ("date_of_birth", &["personal"], &[], OnHit::Mask),
            ("national_id", &["personal"], &[], OnHit::Mask),
            ("health", &["personal"], &[], OnHit::Mask),
            ("payment_card", &[], &[F::PaymentCard], OnHit::Mask),
            ("iban", &[], &[F::Iban], OnHit::Mask),
            ("bank_account", &[], &[], OnHit::Mask),
            ("secret", &[], &[F::UrlPassword], OnHit::Mask),
            ("password", &["secret"], &[], OnHit::Mask),
            ("jwt", &["secret"], &[F::Jwt], OnHit::Mask),
            ("cloud_key", &["secret"], &[F::CloudKey], OnHit::Mask),
            ("private_key", &["secret"], &[F::PrivateKey], OnHit::Mask),
        ];
        let by_name = rows
            .iter()
            .map(|(name, within, finders, on_hit)| {
                let class = Class {
                    name: (*name).to_owned(),
                    within: within.iter().map(|s| (*s).to_owned()).collect(),
                    finders: finders.to_vec(),
                    patterns: Vec::new(),
                    on_hit: *on_hit,
                };
                ((*name).to_owned(), class)
            })
            .collect();
        Self { by_name }
    }

    /// The built-in classes with those of a bundle. Every fault is reported.
    pub fn with(specs: &[ClassSpec]) -> Result<Self, Vec<ClassError>> {
        let mut all = Self::builtin();
        let mut faults = Vec::new();
        let mut seen = BTreeSet::new();
        for spec in specs {
            if !valid_name(&spec.name) {
                faults.push(ClassError::Name(spec.name.clone()));
                continue;
            }
            if !seen.insert(spec.name.as_str()) {
                faults.push(ClassError::Twice(spec.name.clone()));
                continue;
            }
            all.apply(spec, &mut faults);
        }
        all.check_nesting(&mut faults);
        if faults.is_empty() {
            Ok(all)
        } else {
            Err(faults)
        }
    }

    /// A class by name.
    pub fn get(&self, name: &str) -> Option<&Class> {
        self.by_name.get(name)
    }

    /// Every class, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Class> {
        self.by_name.values()
    }

    fn apply(&mut self, spec: &ClassSpec, faults: &mut Vec<ClassError>) {
        let class = self
            .by_name
            .entry(spec.name.clone())
            .or_insert_with(|| Class {
                name: spec.name.clone(),
                within: Vec::new(),
                finders: Vec::new(),
                patterns: Vec::new(),
                on_hit: OnHit::Mask,
            });
        if let Some(within) = &spec.within {
            class.within = within.clone();
        }
        if let Some(names) = &spec.detectors {
            class.finders.clear();
            for name in names {
                match Finder::ALL.iter().find(|f| f.as_str() == name) {
                    Some(f) => class.finders.push(*f),
                    None => faults.push(ClassError::Detector {
                        class: spec.name.clone(),
                        detector: name.clone(),
                    }),
                }
            }
        }
        if let Some(patterns) = &spec.patterns {
            class.patterns = patterns.clone();
            for (i, pattern) in patterns.iter().enumerate() {
                if let Err(reason) = check_pattern(pattern) {
                    faults.push(ClassError::Pattern {
                        class: spec.name.clone(),
                        index: i + 1,
                        reason,
                    });
                }
            }
        }
        if let Some(on_hit) = spec.on_hit {
            class.on_hit = on_hit;
        }
    }

    fn check_nesting(&self, faults: &mut Vec<ClassError>) {
        for class in self.by_name.values() {
            for parent in &class.within {
                if !self.by_name.contains_key(parent) {
                    faults.push(ClassError::Parent {
                        class: class.name.clone(),
                        parent: parent.clone(),
                    });
                }
            }
            if self.reaches(&class.within, &class.name) {
                faults.push(ClassError::Cycle(class.name.clone()));
            }
        }
    }

    fn reaches(&self, from: &[String], goal: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut todo: Vec<&str> = from.iter().map(String::as_str).collect();
        while let Some(name) = todo.pop() {
            if name == goal {
                return true;
            }
            if let Some(class) = self.by_name.get(name).filter(|_| seen.insert(name)) {
                todo.extend(class.within.iter().map(String::as_str));
            }
        }
        false
    }
}

fn valid_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn check_pattern(pattern: &str) -> Result<(), String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("longer than {PATTERN_BYTES_MAX} bytes"));
    }
    let regex = crate::mask::detect::compile(&[pattern]).map_err(|e| e.to_string())?;
    if regex.is_match(b"") {
        return Err("it matches the empty text".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> ClassSpec {
        ClassSpec {
            name: name.to_owned(),
            within: None,
            detectors: None,
            patterns: None,
            on_hit: None,
        }
    }

    #[test]
    fn phone_and_ip_only_report() {
        let classes = Classes::builtin();
        for name in ["phone", "ip_address"] {
            assert_eq!(classes.get(name).unwrap().on_hit, OnHit::Report);
        }
        assert_eq!(classes.get("email").unwrap().on_hit, OnHit::Mask);
    }

    #[test]
    fn takes_custom_classes_and_changes_to_builtin_ones() {
        let mut employee = spec("employee_number");
        employee.within = Some(vec!["personal".into()]);
        employee.patterns = Some(vec![r"\bE-[0-9]{6}\b".into()]);
        let mut phone = spec("phone");
        phone.on_hit = Some(OnHit::Mask);
        let classes = Classes::with(&[employee, phone]).unwrap();
        assert_eq!(classes.get("employee_number").unwrap().patterns.len(), 1);
        let phone = classes.get("phone").unwrap();
        assert_eq!((phone.on_hit, phone.finders.len()), (OnHit::Mask, 1));
    }

    #[test]
    fn reports_every_fault_of_a_bundle() {
        let mut lost = spec("lost");
        lost.within = Some(vec!["nowhere".into()]);
        let mut round = spec("round");
        round.within = Some(vec!["circle".into()]);
        let mut circle = spec("circle");
        circle.within = Some(vec!["round".into()]);
        let mut odd = spec("odd");
        odd.detectors = Some(vec!["horoscope".into()]);
        odd.patterns = Some(vec!["a*".into(), "(".into()]);
        let faults =
            Classes::with(&[lost, round, circle, odd, spec("Bad Name"), spec("odd")]).unwrap_err();
        assert_eq!(faults.len(), 8, "{faults:#?}");
    }
}
