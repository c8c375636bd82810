//! Which endpoints and keys are accepted?

use super::*;

fn opened(emulator: &str) -> Result<Arc<dyn ObjectStore>> {
    open_with(GoogleCloudStorageBuilder::new().with_service_account_key(KEY), "lake", Some(emulator.to_owned()))
}

/// A key of nobody, as Google writes them.
const KEY: &str = r#"{"gcs_base_url":"https://example.com","disable_oauth":true,"client_email":"","private_key":"",
    "private_key_id":""}"#;

#[test]
fn an_emulator_on_another_machine_is_not_spoken_to_in_plain() {
    for local in ["127.0.0.1:4443", "http://localhost:4443", ""] {
        assert!(opened(local).is_ok(), "{local}");
    }
    let Err(error) = opened("10.0.0.7:4443") else { panic!("is refused") };
    assert!(error.message.contains("GOOGLE_ALLOW_HTTP"), "{error}");
}

#[test]
fn a_key_that_cannot_be_read_names_the_variable() {
    let builder = GoogleCloudStorageBuilder::new().with_service_account_path("/nonexistent");
    let Err(error) = open_with(builder, "lake", None) else { panic!("is refused") };
    assert!(error.message.contains("GOOGLE_APPLICATION_CREDENTIALS"), "{error}");
}
