#include "spec_json.h"

namespace ropeline {

std::string Spec::json() const { return spec_json::printed(*this); }

Spec Spec::from_json(std::string_view text) { return spec_json::parsed<Spec>(text); }

}  // namespace ropeline
