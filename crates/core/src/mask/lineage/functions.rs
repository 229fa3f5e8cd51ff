//! Columns of the server's own functions in FROM.
//!
//! Lives here: those that are used often. One that is not here has columns that are not known. Never: what they do.

/// What a function in FROM makes.
pub(super) enum Shape {
    /// One column, named as the alias or the function.
    Scalar,
    /// These columns.
    Columns(&'static [&'static str]),
}

/// The columns of a function of `pg_catalog`.
pub(super) fn shape(name: &str) -> Option<Shape> {
    const SCALARS: &[&str] = &[
        "generate_series",
        "generate_subscripts",
        "json_object_keys",
        "jsonb_object_keys",
        "jsonb_path_query",
        "regexp_matches",
        "regexp_split_to_table",
        "string_to_table",
    ];
    const PAIRS: &[&str] = &[
        "json_each",
        "json_each_text",
        "jsonb_each",
        "jsonb_each_text",
    ];
    // Their one OUT parameter has a name, which an alias of the function does not replace.
    const ELEMENTS: &[&str] = &[
        "json_array_elements",
        "json_array_elements_text",
        "jsonb_array_elements",
        "jsonb_array_elements_text",
    ];
    if ELEMENTS.contains(&name) {
        return Some(Shape::Columns(&["value"]));
    }
    if SCALARS.contains(&name) {
        return Some(Shape::Scalar);
    }
    if PAIRS.contains(&name) {
        return Some(Shape::Columns(&["key", "value"]));
    }
    match name {
        "pg_options_to_table" => Some(Shape::Columns(&["option_name", "option_value"])),
        "pg_timezone_names" => Some(Shape::Columns(&["name", "abbrev", "utc_offset", "is_dst"])),
        _ => None,
    }
}
