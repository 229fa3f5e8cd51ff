//! The error codes' document.

use super::cell;
use brattice_core::denial::Code;
use std::fmt::Write;

/// What each code of a refusal means, and what to do about it.
fn codes() -> Vec<(Code, &'static str, &'static str)> {
    use Code as C;
    vec![
        (
            C::Unauthenticated,
            "Nothing proves who is calling.",
            "Get a fresh token or credential.",
        ),
        (
            C::Forbidden,
            "A rule forbids it, or nothing permits it.",
            "Read `rules` and the hint; ask for less.",
        ),
        (
            C::Unknown,
            "It was not understood, so it cannot be judged.",
            "Write it more plainly; one statement at a time.",
        ),
        (
            C::NotSupported,
            "The protocol's feature is refused for everyone.",
            "Do without it.",
        ),
        (
            C::ApprovalRequired,
            "It waits for a person.",
            "Send the identical command again once it is approved.",
        ),
        (
            C::ApprovalDenied,
            "A person said no.",
            "Do not send it again; ask that person.",
        ),
        (
            C::ApprovalExpired,
            "Nobody decided in time, or the ticket was not used in time.",
            "Send it again to ask anew.",
        ),
        (
            C::Masked,
            "A masked value would leave in another shape.",
            "Select the plain column, or none of it.",
        ),
        (C::TooLarge, "A limit was exceeded.", "Split it."),
        (
            C::Throttled,
            "Too many at once, or too often.",
            "Wait, then try again.",
        ),
        (
            C::SessionEnded,
            "The identity ended: expired, revoked or changed.",
            "Connect anew with a fresh token.",
        ),
        (
            C::Frozen,
            "People stopped the target.",
            "Stop and wait; ask whom the hint names.",
        ),
        (
            C::Cancelled,
            "The caller asked for it to be stopped while it waited for people.",
            "Nothing.",
        ),
        (
            C::Unavailable,
            "A part that the gateway's promise needs is failing.",
            "Try again later; tell the operator.",
        ),
    ]
}

/// Codes that the REST API has of its own.
const API_CODES: &[(u16, &str, &str)] = &[
    (
        400,
        "invalid_request",
        "The request's form is wrong: query, body or a value in them.",
    ),
    (
        403,
        "foreign_origin",
        "A page of another origin sent the request.",
    ),
    (
        403,
        "unknown_person",
        "The person whose decision is brought has not signed in lately.",
    ),
    (
        404,
        "not_found",
        "There is no such thing, or it is not for the caller to see.",
    ),
    (
        405,
        "method_not_allowed",
        "The resource has no such method.",
    ),
    (408, "too_slow", "The body took too long to come."),
    (
        409,
        "another_action",
        "The hash is not that of the action that is asked about.",
    ),
    (409, "question_closed", "The question is no longer open."),
    (
        409,
        "answered_before",
        "The person has answered this question before.",
    ),
    (409, "session_closed", "The session is not open."),
    (
        409,
        "not_minted",
        "No credential was minted; the text says why.",
    ),
    (
        409,
        "not_delegated",
        "Nothing was delegated; the text says why.",
    ),
    (
        409,
        "nothing_to_ask",
        "No grant would help: what stands in the way is lifted by none.",
    ),
    (
        409,
        "too_many_freezes",
        "Too many freezes stand; nothing was frozen.",
    ),
    (413, "too_large", "The body is too large, or broke off."),
    (
        415,
        "unsupported_media_type",
        "The body is not application/json.",
    ),
    (421, "unknown_host", "The request is for another host."),
    (
        422,
        "invalid_bundle",
        "The bundle is not valid; the one in force stays.",
    ),
    (429, "throttled", "Too many attempts from this address."),
    (503, "unavailable", "A part of the gateway is not working."),
];

/// The document.
pub fn document() -> String {
    let mut text = String::from(
        "# Error codes\n\nEvery refusal carries a stable code, the rules that decided, one sentence, and what to do \
         instead: in PostgreSQL's DETAIL and HINT, and as problem details (RFC 9457) over REST. Rules whose names begin \
         with `brattice.` are built in.\n\n## Refusals\n\n| code | meaning | what to do | retry unchanged |\n|---|---|---|---|\n",
    );
    for (code, meaning, mend) in codes() {
        let retry = if code.retry() { "yes" } else { "no" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {retry} |",
            code.as_str(),
            cell(meaning),
            cell(mend)
        );
    }
    text.push_str("\n## The REST API's own\n\n| status | code | meaning |\n|---|---|---|\n");
    for (status, code, meaning) in API_CODES {
        let _ = writeln!(text, "| {status} | `{code}` | {} |", cell(meaning));
    }
    text
}
