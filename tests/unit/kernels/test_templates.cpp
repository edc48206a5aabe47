#include "backend/templates.h"

#include <doctest/doctest.h>

namespace rtmc::backend {
namespace {

TemplateValue item(const char *name, bool last) {
  TemplateValue v;
  v["name"] = name;
  v["last"] = last;
  return v;
}

TEST_CASE("templates: names, fields and loops") {
  TemplateValue v;
  v["type"] = "float";
  v["list"] = std::vector<TemplateValue>{item("a", false), item("b", true)};
  CHECK(renderText("//% for i in list\n${type} ${i.name};\n//% end\n", v, "t") == "float a;\nfloat b;\n");
  CHECK(renderText("//% for i in list\n  //% if i.last\nlast ${i.name}\n//% else\nnot\n  //% end\n//% end\nend\n", v,
                   "t") == "not\nlast b\nend\n");
  CHECK(renderText("//% for i in list\n//% for j in list\n${i.name}${j.name}\n//% end\n//% end\n", v, "t") ==
        "aa\nab\nba\nbb\n");
}

TEST_CASE("templates: a value alone on its line keeps the indentation, an empty one leaves no line") {
  TemplateValue v;
  v["body"] = "one\n\n  two";
  v["none"] = "";
  CHECK(renderText("{\n  ${body}\n  ${none}\n}\n", v, "t") == "{\n  one\n\n    two\n}\n");
  CHECK(renderText("x = ${none};\n", v, "t") == "x = ;\n");
}

TEST_CASE("templates: conditions are false for nothing, zero and empty lists") {
  TemplateValue v;
  v["no"] = false;
  v["zero"] = uint32_t{0};
  v["empty"] = std::vector<TemplateValue>{};
  v["yes"] = uint32_t{7};
  const auto holds = [&](const char *name) {
    return renderText(std::string("//% if ") + name + "\nyes\n//% else\nno\n//% end\n", v, "t") == "yes\n";
  };
  CHECK_FALSE(holds("no"));
  CHECK_FALSE(holds("zero"));
  CHECK_FALSE(holds("empty"));
  CHECK(holds("yes"));
}

TEST_CASE("templates: dead branches need no values") {
  TemplateValue v;
  v["no"] = false;
  CHECK(renderText("//% if no\n${missing}\n//% include missing\n//% end\ndone\n", v, "t") == "done\n");
}

TEST_CASE("templates: embedded files are found by path") {
  CHECK(templateText("cpp/kernel_matvec").find("RTM_KERNEL") != std::string_view::npos);
  CHECK(templateText("cpp/nothing").empty());
}

}  // namespace
}  // namespace rtmc::backend
