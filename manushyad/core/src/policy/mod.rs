//! policy
#[derive(Default)]
pub struct PolicySet;
impl PolicySet {
    pub fn build(_p: impl IntoIterator<Item = std::sync::Arc<crate::model::Policy>>) -> Self {
        Self
    }
}
