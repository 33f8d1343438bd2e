//! stub
fn main() {
    print!("{}", qoder_operator::api::crd_yaml().unwrap());
}
