//! Does each driver keep the promises of the trait?
