//! Whether a tree so much as contains the name of a relation with masked columns.
//!
//! Lives here: the net under everything that the walk does not know. Never: scopes or meaning.

use crate::classify::sql::catalogue::Catalogue;
use crate::mask::columns::MaskedColumns;
use prost::Message;

/// The name of a masked relation stands anywhere in the tree: as an identifier, in a literal, in a function's body.
/// Too many hits are refusals; too few would be leaks, so the encoded tree itself is searched.
pub(super) fn any<M: Message>(tree: &M, catalogue: &Catalogue, masked: &MaskedColumns) -> bool {
    if masked.is_empty() {
        return false;
    }
    let encoded = tree.encode_to_vec();
    masked.relations().any(|oid| {
        // A relation that has left the picture since: its name is not known, so say yes.
        catalogue
            .by_oid
            .get(&oid)
            .is_none_or(|relation| contains(&encoded, relation.name.as_bytes()))
    })
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|w| w == needle)
}
