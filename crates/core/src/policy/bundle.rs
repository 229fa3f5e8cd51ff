//! Loading a bundle's rules: all of it is right, or it does not load and all that is wrong is told at once.
//!
//! Lives here: parsing, identity of rules, Cedar's validation, checks across rules. Never: judging.

use super::annotations::Annotations;
use super::lint::{self, Finding, Findings};
use super::reads::Reads;
use super::rule::{self, Head, Kind, Rule};
use super::slice::Interned;
use super::source::{Problem, SourceFile, line_at, problem_of};
use super::suggest::nearest;
use super::vocabulary::{Leaf, Vocabulary};
use crate::target::Target;
use cedar_policy::{Effect, Policy, PolicyId, PolicySet, ValidationMode, Validator};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

/// What the rest of the bundle defines: a rule that names anything else does not load.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Short names of the identity providers.
    pub issuers: BTreeSet<String>,
    /// Labels, as `key=value`. Those of the targets are known without being listed.
    pub labels: BTreeSet<String>,
    /// Targets by name.
    pub targets: BTreeMap<String, Target>,
    /// Classes of data, each with the classes above it.
    pub classes: BTreeMap<String, Vec<String>>,
    /// Who answers for an agent: `issuer/name` of the agent → of the person.
    pub owners: BTreeMap<String, String>,
}

/// The rules of one bundle, ready to judge.
pub struct Rules {
    pub(super) words: &'static Vocabulary,
    pub(super) known: Known,
    pub(super) interned: Interned,
    rules: Vec<Rule>,
    index_of: HashMap<String, usize>,
    reaching: Vec<Vec<usize>>,
    warnings: Vec<Problem>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("rules", &self.rules.len())
            .finish_non_exhaustive()
    }
}

impl Rules {
    /// Reads and checks every file. Either everything is right, or every problem is returned.
    pub fn load(files: &[SourceFile], known: &Known) -> Result<Rules, Vec<Problem>> {
        let words = Vocabulary::get().map_err(|e| vec![nowhere(e.to_string(), None)])?;
        let mut known = known.clone();
        for t in known.targets.values() {
            known
                .labels
                .extend(t.labels.iter().map(|(k, v)| format!("{k}={v}")));
        }
        let mut loading = Loading::default();
        loading.bundle(&known);
        let parsed: Vec<Parsed> = files.iter().flat_map(|f| loading.parse(f)).collect();
        let parsed = loading.identify(parsed);
        loading.validate(&parsed, words);
        let rules: Vec<Rule> = parsed
            .iter()
            .filter_map(|p| loading.check(p, words, &known))
            .collect();
        loading.mentions_of_rules(&parsed);
        if loading.problems.is_empty() {
            return Ok(Rules::index(words, known, rules, loading.warnings));
        }
        loading.problems.sort();
        loading.problems.dedup();
        Err(loading.problems)
    }

    fn index(
        words: &'static Vocabulary,
        known: Known,
        rules: Vec<Rule>,
        mut warnings: Vec<Problem>,
    ) -> Rules {
        let mut reaching = vec![Vec::new(); words.actions.len()];
        for (i, r) in rules.iter().enumerate() {
            for leaf in &r.head.leaves {
                if let Some(list) = reaching.get_mut(*leaf) {
                    list.push(i);
                }
            }
        }
        warnings.sort();
        let index_of = rules
            .iter()
            .enumerate()
            .map(|(i, r)| (r.id.clone(), i))
            .collect();
        Rules {
            words,
            known,
            interned: Interned::default(),
            rules,
            index_of,
            reaching,
            warnings,
        }
    }

    /// What does not stop the bundle and should be looked at.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
    /// Every rule, in the order of the files.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
    /// The rule of that `@id`.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.get(*self.index_of.get(id)?)
    }
    /// What the bundle defined when these rules were loaded.
    pub fn known(&self) -> &Known {
        &self.known
    }
    pub(super) fn rule_at(&self, index: usize) -> Option<&Rule> {
        self.rules.get(index)
    }
    pub(super) fn index_of(&self, id: &str) -> Option<usize> {
        self.index_of.get(id).copied()
    }
    pub(super) fn reaching(&self, leaf: Leaf) -> &[usize] {
        self.reaching.get(leaf).map_or(&[], Vec::as_slice)
    }
}

fn nowhere(message: String, mend: Option<String>) -> Problem {
    Problem {
        file: String::new(),
        line: 0,
        message,
        mend,
    }
}

/// A rule as it was written.
struct Parsed<'a> {
    file: &'a SourceFile,
    /// Where it begins in the file.
    offset: usize,
    text: String,
    policy: Policy,
}

impl Parsed<'_> {
    fn line(&self) -> usize {
        line_at(&self.file.text, self.offset)
    }
    /// The line of something in the rule; the rule's own when it is not there literally.
    fn line_of(&self, near: Option<&str>) -> usize {
        let within = near.and_then(|n| self.text.find(n)).unwrap_or(0);
        line_at(&self.file.text, self.offset.saturating_add(within))
    }
    /// How to speak of it.
    fn name(&self) -> String {
        self.policy
            .annotation("id")
            .map_or_else(|| "a rule".to_owned(), |id| format!("rule {id}"))
    }
    fn problem(&self, f: Finding) -> Problem {
        Problem {
            file: self.file.name.clone(),
            line: self.line_of(f.near.as_deref()),
            message: format!("{}: {}", self.name(), f.message),
            mend: f.mend,
        }
    }
}

#[derive(Default)]
struct Loading {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Loading {
    fn bundle(&mut self, known: &Known) {
        for t in known
            .targets
            .values()
            .filter(|t| !t.labels.contains_key("env"))
        {
            let mend = Some("rules speak of env: labels = { env = \"production\" }".to_owned());
            self.problems
                .push(nowhere(format!("target {} has no label env", t.name), mend));
        }
        for label in known
            .labels
            .iter()
            .filter(|l| l.matches('=').count() != 1 || l.starts_with('='))
        {
            let mend = Some("one = between a key and a value".to_owned());
            self.problems
                .push(nowhere(format!("label {label} is not key=value"), mend));
        }
        for (class, above) in &known.classes {
            for a in above.iter().filter(|a| !known.classes.contains_key(*a)) {
                let mend = nearest(a, known.classes.keys().map(String::as_str))
                    .map(|n| format!("did you mean {n}?"));
                self.problems.push(nowhere(
                    format!("class {class} is in {a}, which is not a class"),
                    mend,
                ));
            }
        }
    }

    fn parse<'a>(&mut self, file: &'a SourceFile) -> Vec<Parsed<'a>> {
        let set = match PolicySet::from_str(&file.text) {
            Ok(set) => set,
            Err(errors) => {
                self.problems
                    .extend(errors.iter().map(|e| problem_of(file, e, 0)));
                return Vec::new();
            }
        };
        for t in set.templates() {
            let offset = file.text.find(&t.to_cedar()).unwrap_or(0);
            self.problems.push(Problem {
                file: file.name.clone(),
                line: line_at(&file.text, offset),
                message: "a rule with ?principal or ?resource never applies".to_owned(),
                mend: Some("name whom or what it means".to_owned()),
            });
        }
        let mut parsed: Vec<Parsed> = set
            .policies()
            .map(|p| {
                let text = p.to_cedar().unwrap_or_default();
                Parsed {
                    file,
                    offset: 0,
                    text,
                    policy: p.clone(),
                }
            })
            .collect();
        // Cedar numbers them in the order of the text, which is how each one's place is found again.
        parsed.sort_by_key(|p| number(p.policy.id()));
        let mut from = 0;
        for p in &mut parsed {
            let found = file.text.get(from..).and_then(|rest| rest.find(&p.text));
            p.offset = found.map_or(from, |o| from + o);
            from = p.offset + found.map_or(0, |_| p.text.len());
        }
        parsed
    }

    /// The `@id` becomes the identity, so that every diagnostic speaks of it. A rule without a good one is told so,
    /// and gets a number to be validated under all the same.
    fn identify<'a>(&mut self, parsed: Vec<Parsed<'a>>) -> Vec<Parsed<'a>> {
        let mut seen: HashMap<String, String> = HashMap::new();
        let mut out = Vec::with_capacity(parsed.len());
        for (n, mut p) in parsed.into_iter().enumerate() {
            let place = format!("{}:{}", p.file.name, p.line());
            let given = p.policy.annotation("id").map(str::to_owned);
            let wrong = match &given {
                None => Some((
                    "every rule needs an @id".to_owned(),
                    "e.g. @id(\"analytics-read\")".to_owned(),
                )),
                Some(id) if !well_formed(id) => Some((
                    format!("@id(\"{id}\") is not an id"),
                    "lower-case letters, digits and hyphens, at most 64".to_owned(),
                )),
                Some(id) => seen.insert(id.clone(), place.clone()).map(|first| {
                    (
                        format!("@id(\"{id}\") is used twice"),
                        format!("the other is at {first}"),
                    )
                }),
            };
            let id = match (wrong, given) {
                (None, Some(id)) => id,
                (wrong, _) => {
                    self.problems.extend(wrong.map(|(message, mend)| Problem {
                        file: p.file.name.clone(),
                        line: p.line(),
                        message,
                        mend: Some(mend),
                    }));
                    format!("rule {} of the bundle", n + 1)
                }
            };
            p.policy = p.policy.new_id(PolicyId::new(id));
            out.push(p);
        }
        out
    }

    fn validate(&mut self, parsed: &[Parsed<'_>], words: &Vocabulary) {
        let validator = Validator::new(words.schema.clone());
        for p in parsed {
            let Ok(alone) = PolicySet::from_policies([p.policy.clone()]) else {
                continue;
            };
            let result = validator.validate(&alone, ValidationMode::Strict);
            let line = p.line();
            self.problems.extend(
                result
                    .validation_errors()
                    .map(|e| problem_of(p.file, e, line)),
            );
            self.problems.extend(
                result
                    .validation_warnings()
                    .map(|w| problem_of(p.file, w, line)),
            );
        }
    }

    fn check(&mut self, p: &Parsed<'_>, words: &Vocabulary, known: &Known) -> Option<Rule> {
        let mut found = Findings::default();
        let lint::Checked {
            annotations,
            leaves,
        } = lint::check(&p.policy, words, known, &mut found);
        self.problems
            .extend(found.errors.into_iter().map(|f| p.problem(f)));
        self.warnings
            .extend(found.warnings.into_iter().map(|f| p.problem(f)));
        let Annotations {
            hold,
            observe,
            message,
        } = annotations;
        Some(Rule {
            id: p.policy.id().to_string(),
            file: p.file.name.clone(),
            line: p.line(),
            kind: match (p.policy.effect(), hold) {
                (Effect::Permit, _) => Kind::Permit,
                (Effect::Forbid, None) => Kind::Forbid,
                (Effect::Forbid, Some(h)) => Kind::Hold(h),
            },
            observe,
            message,
            digest: rule::digest(&p.policy)?,
            text: p.text.clone(),
            reads: Reads::of(&p.policy),
            head: Head::of(&p.policy, leaves),
            policy: p.policy.clone(),
        })
    }

    /// `Rule::"…"` names a rule of this bundle: an approver limited to a rule that is not there approves nothing.
    fn mentions_of_rules(&mut self, parsed: &[Parsed<'_>]) {
        let ids: BTreeSet<String> = parsed.iter().map(|p| p.policy.id().to_string()).collect();
        for p in parsed {
            for literal in p.policy.entity_literals() {
                let id = literal.id().unescaped();
                if literal.type_name().basename() == "Rule" && !ids.contains(id) {
                    let near = nearest(id, ids.iter().map(String::as_str));
                    self.problems.push(p.problem(Finding {
                        near: Some(format!("\"{id}\"")),
                        message: format!("{literal} is not in this bundle"),
                        mend: near.map(|n| format!("did you mean \"{n}\"?")),
                    }));
                }
            }
        }
    }
}

fn number(id: &PolicyId) -> usize {
    id.to_string()
        .strip_prefix("policy")
        .and_then(|n| n.parse().ok())
        .unwrap_or(usize::MAX)
}

fn well_formed(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
