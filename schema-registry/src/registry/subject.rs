//! What is a subject's full name, and in which context does it lie?

use super::error::{Refusal, Result};

/// The context of subjects that name none.
pub(crate) const DEFAULT_CONTEXT: &str = ".";

/// `:.ctx:name` lies in context `.ctx`; everything else in the default one.
pub(crate) fn context_of(subject: &str) -> &str {
    split(subject).map_or(DEFAULT_CONTEXT, |(context, _)| context)
}

fn split(subject: &str) -> Option<(&str, &str)> {
    let rest = subject.strip_prefix(':').filter(|rest| rest.starts_with('.'))?;
    rest.split_once(':')
}

/// The one spelling of a subject: within `context` unless it names its own, and bare in the default context.
pub(crate) fn qualified(context: Option<&str>, subject: &str) -> Result<String> {
    let (context, name) = split(subject).unwrap_or((context.unwrap_or(DEFAULT_CONTEXT), subject));
    let odd = subject.chars().any(char::is_control) || subject.len() > 1024;
    if odd || name.is_empty() || name == "__GLOBAL" || name == "__EMPTY" {
        return Err(Refusal::invalid_subject(&subject.chars().take(100).collect::<String>()));
    }
    Ok(if context == DEFAULT_CONTEXT { name.to_owned() } else { format!(":{context}:{name}") })
}

/// Does a subject match `?subjectPrefix=`? `:*:` stands for any context.
pub(crate) fn has_prefix(subject: &str, prefix: &str) -> bool {
    match prefix.strip_prefix(":*:") {
        Some(prefix) => split(subject).map_or(subject, |(_, name)| name).starts_with(prefix),
        None => match split(prefix) {
            Some((DEFAULT_CONTEXT, prefix)) => split(subject).is_none() && subject.starts_with(prefix),
            _ => subject.starts_with(prefix),
        },
    }
}
