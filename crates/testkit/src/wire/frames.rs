//! Messages as bytes, right ones and wrong ones (PostgreSQL documentation, "Message Formats").

/// A message with its type byte and a length that is right.
pub fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    frame_of(
        tag,
        u32::try_from(body.len())
            .unwrap_or(u32::MAX)
            .wrapping_add(4),
        body,
    )
}

/// A message with whatever length it is told.
pub fn frame_of(tag: u8, length: u32, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend(length.to_be_bytes());
    out.extend(body);
    out
}

/// A packet without a type byte, as the start-up phase has them.
pub fn packet(body: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(body.len())
        .unwrap_or(u32::MAX)
        .wrapping_add(4)
        .to_be_bytes()
        .to_vec();
    out.extend(body);
    out
}

/// The start-up packet of protocol 3.`minor`, its parameters as given.
pub fn startup(minor: u16, parameters: &[(String, String)]) -> Vec<u8> {
    let mut body = vec![0, 3];
    body.extend(minor.to_be_bytes());
    for (name, value) in parameters {
        text(&mut body, name.as_bytes());
        text(&mut body, value.as_bytes());
    }
    body.push(0);
    packet(&body)
}

/// Asks for TLS.
pub fn ssl_request() -> Vec<u8> {
    packet(&80_877_103_u32.to_be_bytes())
}

/// Asks for GSSAPI encryption.
pub fn gss_request() -> Vec<u8> {
    packet(&80_877_104_u32.to_be_bytes())
}

/// Asks for a cancel by a key.
pub fn cancel(pid: u32, secret: &[u8]) -> Vec<u8> {
    let mut body = 80_877_102_u32.to_be_bytes().to_vec();
    body.extend(pid.to_be_bytes());
    body.extend(secret);
    packet(&body)
}

/// A password in clear, or its hash.
pub fn password(password: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, password);
    frame(b'p', &body)
}

/// The first message of a SASL exchange.
pub fn sasl_initial(mechanism: &str, first: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, mechanism.as_bytes());
    value(&mut body, Some(first));
    frame(b'p', &body)
}

/// A later one.
pub fn sasl_response(data: &[u8]) -> Vec<u8> {
    frame(b'p', data)
}

/// A simple query.
pub fn query(sql: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, sql);
    frame(b'Q', &body)
}

/// Prepares a statement.
pub fn parse(name: &str, sql: &[u8], types: &[u32]) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, name.as_bytes());
    text(&mut body, sql);
    count(&mut body, types.len());
    types.iter().for_each(|oid| body.extend(oid.to_be_bytes()));
    frame(b'P', &body)
}

/// Binds text parameters; all results in one format.
pub fn bind(portal: &str, statement: &str, parameters: &[Option<&[u8]>], format: i16) -> Vec<u8> {
    bind_of(portal, statement, &[], parameters, &[format])
}

/// Binds with formats as given.
pub fn bind_of(
    portal: &str,
    statement: &str,
    formats: &[i16],
    parameters: &[Option<&[u8]>],
    results: &[i16],
) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, portal.as_bytes());
    text(&mut body, statement.as_bytes());
    count(&mut body, formats.len());
    formats.iter().for_each(|f| body.extend(f.to_be_bytes()));
    count(&mut body, parameters.len());
    parameters.iter().for_each(|p| value(&mut body, *p));
    count(&mut body, results.len());
    results.iter().for_each(|f| body.extend(f.to_be_bytes()));
    frame(b'B', &body)
}

/// Describes a statement, `S`, or a portal, `P`.
pub fn describe(kind: u8, name: &str) -> Vec<u8> {
    let mut body = vec![kind];
    text(&mut body, name.as_bytes());
    frame(b'D', &body)
}

/// Runs a portal; zero rows mean all.
pub fn execute(portal: &str, rows_max: u32) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, portal.as_bytes());
    body.extend(rows_max.to_be_bytes());
    frame(b'E', &body)
}

/// Drops a statement, `S`, or a portal, `P`.
pub fn close(kind: u8, name: &str) -> Vec<u8> {
    let mut body = vec![kind];
    text(&mut body, name.as_bytes());
    frame(b'C', &body)
}

/// Ends a pipeline.
pub fn sync() -> Vec<u8> {
    frame(b'S', &[])
}

/// Asks for replies so far.
pub fn flush() -> Vec<u8> {
    frame(b'H', &[])
}

/// Leaves.
pub fn terminate() -> Vec<u8> {
    frame(b'X', &[])
}

/// A piece of a COPY stream.
pub fn copy_data(data: &[u8]) -> Vec<u8> {
    frame(b'd', data)
}

/// The end of a COPY stream.
pub fn copy_done() -> Vec<u8> {
    frame(b'c', &[])
}

/// Gives a COPY stream up.
pub fn copy_fail(why: &str) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, why.as_bytes());
    frame(b'f', &body)
}

/// Calls a function by its OID with text arguments, the result as text.
pub fn function_call(oid: u32, arguments: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = oid.to_be_bytes().to_vec();
    count(&mut body, 0);
    count(&mut body, arguments.len());
    arguments.iter().for_each(|a| value(&mut body, *a));
    body.extend([0, 0]);
    frame(b'F', &body)
}

/// Parse, Bind, Describe, Execute and Sync of one statement, all unnamed.
pub fn extended(sql: &[u8], parameters: &[Option<&[u8]>], format: i16) -> Vec<u8> {
    [
        parse("", sql, &[]),
        bind("", "", parameters, format),
        describe(b'P', ""),
        execute("", 0),
        sync(),
    ]
    .concat()
}

/// Parse, Bind and Execute of one statement, all unnamed: a step of a pipeline.
pub fn step(sql: &str, parameters: &[Option<&[u8]>]) -> Vec<u8> {
    [
        parse("", sql.as_bytes(), &[]),
        bind("", "", parameters, 0),
        execute("", 0),
    ]
    .concat()
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text);
    out.push(0);
}

fn count(out: &mut Vec<u8>, count: usize) {
    out.extend(u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

fn value(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => out.extend((-1_i32).to_be_bytes()),
        Some(value) => {
            out.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend(value);
        }
    }
}
