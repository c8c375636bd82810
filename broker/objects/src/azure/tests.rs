//! Are account and key found where Azure's own tools look, and endpoints judged?

use super::*;

/// Sixty-four bytes in base64.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";

fn opened(account: Option<&str>, env: &[(&str, &str)]) -> Result<Account> {
    let account = account.map(|name| Account { name: name.to_owned(), suffix: SUFFIX.to_owned() });
    let look = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let mut builder = MicrosoftAzureBuilder::new();
    if look("AZURE_STORAGE_USE_EMULATOR").is_some() {
        builder = builder.with_use_emulator(true);
    }
    open_with(builder, "lake", account, &look).map(|(_, account)| account)
}

#[test]
fn the_account_comes_from_the_url_or_from_the_environment() {
    assert_eq!(opened(Some("mine"), &[("AZURE_STORAGE_ACCOUNT", "other")]).expect("opens").name, "mine");
    let env = [("AZURE_STORAGE_ACCOUNT", "other"), ("AZURE_STORAGE_KEY", KEY)];
    assert_eq!(opened(None, &env).expect("opens").name, "other");
    let text = format!("DefaultEndpointsProtocol=https;AccountName=third;AccountKey={KEY};EndpointSuffix=x");
    assert_eq!(opened(None, &[("AZURE_STORAGE_CONNECTION_STRING", &text)]).expect("opens").name, "third");
    let emulator = [("AZURE_STORAGE_USE_EMULATOR", "true")];
    assert_eq!(opened(None, &emulator).expect("opens").name, "devstoreaccount1");
    let error = opened(None, &[]).expect_err("nobody knows it");
    assert!(error.message.contains("AZURE_STORAGE_ACCOUNT_NAME"), "{error}");
}

#[test]
fn what_cannot_be_a_key_names_the_variable() {
    let error = opened(Some("mine"), &[("AZURE_STORAGE_KEY", "not base64!")]).expect_err("is refused");
    assert!(error.message.contains("AZURE_STORAGE_ACCOUNT_KEY"), "{error}");
}

#[test]
fn plain_http_is_for_this_machine_only() {
    let at = |url: &str| {
        let text = format!("AccountName=a;AccountKey={KEY};BlobEndpoint={url}");
        opened(None, &[("AZURE_STORAGE_CONNECTION_STRING", &text)])
    };
    assert!(at("http://127.0.0.1:10000/a").is_ok());
    assert!(at("https://example.com/a").is_ok());
    assert!(at("http://example.com/a").expect_err("is refused").message.contains("AZURE_ALLOW_HTTP"));
}
