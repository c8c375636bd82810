//! What does a request ask for?

/// Why every write is refused.
pub const WRITES_REFUSED: &str = "tables of this catalog are written by Frazil only: produce to the topic, or change \
    its settings, and the table follows; for a table of your own use a catalog of your own";

/// Names are decoded. What a name means is not looked at here.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    Config,
    Namespaces,
    Namespace(String),
    NamespaceExists(String),
    Tables(String),
    Table(String, String),
    TableExists(String, String),
    Metrics,
    Views(String),
    View(String, String),
    /// A write that the specification knows.
    Write,
    /// A path we know, with a method that is not for it.
    BadMethod,
    Unknown,
}

pub fn parse(method: &str, path: &str) -> Route {
    let trimmed = path.strip_prefix('/').unwrap_or(path).trim_end_matches('/');
    let Some(parts) = trimmed.split('/').map(percent_decode).collect::<Option<Vec<String>>>() else {
        return Route::Unknown;
    };
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (method, parts.as_slice()) {
        ("GET", ["v1", "config"]) => Route::Config,
        ("GET", ["v1", "namespaces"]) => Route::Namespaces,
        ("GET", ["v1", "namespaces", ns]) => Route::Namespace((*ns).into()),
        ("HEAD", ["v1", "namespaces", ns]) => Route::NamespaceExists((*ns).into()),
        ("GET", ["v1", "namespaces", ns, "tables"]) => Route::Tables((*ns).into()),
        ("GET", ["v1", "namespaces", ns, "tables", table]) => Route::Table((*ns).into(), (*table).into()),
        ("HEAD", ["v1", "namespaces", ns, "tables", table]) => Route::TableExists((*ns).into(), (*table).into()),
        ("POST", ["v1", "namespaces", _, "tables", _, "metrics"]) => Route::Metrics,
        ("GET", ["v1", "namespaces", ns, "views"]) => Route::Views((*ns).into()),
        ("GET" | "HEAD", ["v1", "namespaces", ns, "views", view]) => Route::View((*ns).into(), (*view).into()),
        ("POST" | "PUT" | "PATCH" | "DELETE", ["v1", "namespaces", ..])
        | ("POST", ["v1", "tables" | "views", "rename"] | ["v1", "transactions", "commit"]) => Route::Write,
        (_, ["v1", "config" | "namespaces", ..]) => Route::BadMethod,
        _ => Route::Unknown,
    }
}

/// The decoded value of a query's key; `None` if it is not there or not decodable.
pub fn query_value(query: &str, key: &str) -> Option<String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(k, _)| *k == key)
        .and_then(|(_, value)| percent_decode(&value.replace('+', " ")))
}

/// Is the tag among those a client has? Java's client gives it back with the suffix of its compression layer, inside
/// or outside of the quotes.
pub fn etag_matches(if_none_match: &str, etag: &str) -> bool {
    if_none_match.split(',').any(|seen| {
        let seen = seen.trim();
        let seen = seen.strip_prefix("W/").unwrap_or(seen);
        let seen = seen.strip_suffix("--gzip").unwrap_or(seen).trim_matches('"');
        seen == "*" || seen.strip_suffix("--gzip").unwrap_or(seen) == etag
    })
}

/// `None`: not UTF-8, or a `%` without two hex digits.
fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            plain => plain,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
