#include "backend/clang_check/bounds.h"

#include <clang/AST/ASTContext.h>
#include <clang/AST/RecursiveASTVisitor.h>
#include <clang/Basic/SourceManager.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace rtmc::clang_check {
namespace {

using namespace clang;

/// What is known about an address: bytes of its array before it and from it on.
struct Place {
  int64_t before = 0, after = 0;
  Place moved(int64_t bytes) const { return {before + bytes, after - bytes}; }
  bool inside() const { return before >= 0 && after >= 0; }
};

const Expr *peel(const Expr *e) {
  while (true) {
    e = e->IgnoreParens();
    if (const auto *cast = dyn_cast<CastExpr>(e)) {
      if (cast->getCastKind() == CK_ArrayToPointerDecay) return e;
      e = cast->getSubExpr();
    } else if (const auto *full = dyn_cast<FullExpr>(e)) {
      e = full->getSubExpr();
    } else if (const auto *temporary = dyn_cast<MaterializeTemporaryExpr>(e)) {
      e = temporary->getSubExpr();
    } else {
      return e;
    }
  }
}

/// First walk: who calls whom with what, and which variables ever change.
class Facts : public RecursiveASTVisitor<Facts> {
 public:
  bool shouldVisitTemplateInstantiations() const { return true; }
  bool shouldVisitImplicitCode() const { return false; }

  bool VisitCallExpr(CallExpr *call) {
    if (const FunctionDecl *callee = call->getDirectCallee()) {
      calls[callee->getCanonicalDecl()].push_back(call);
      calleeRefs_.insert(peel(call->getCallee()));
    }
    return true;
  }
  bool VisitDeclRefExpr(DeclRefExpr *ref) {
    if (const auto *function = dyn_cast<FunctionDecl>(ref->getDecl())) refs_.push_back({ref, function});
    return true;
  }
  bool VisitBinaryOperator(BinaryOperator *op) {
    if (op->isAssignmentOp()) change(op->getLHS());
    return true;
  }
  bool VisitUnaryOperator(UnaryOperator *op) {
    if (op->isIncrementDecrementOp() || op->getOpcode() == UO_AddrOf) change(op->getSubExpr());
    return true;
  }
  /// Functions that something else than a call names, so that their callers are not all known.
  std::set<const FunctionDecl *> escaped() const {
    std::set<const FunctionDecl *> out;
    for (const auto &[ref, function] : refs_) {
      if (!calleeRefs_.contains(ref)) out.insert(function->getCanonicalDecl());
    }
    return out;
  }

  std::map<const FunctionDecl *, std::vector<const CallExpr *>> calls;
  std::set<const VarDecl *> changed;

 private:
  void change(const Expr *e) {
    if (const auto *ref = dyn_cast<DeclRefExpr>(e->IgnoreParens())) {
      if (const auto *variable = dyn_cast<VarDecl>(ref->getDecl())) changed.insert(variable);
    }
  }
  std::set<const Expr *> calleeRefs_;
  std::vector<std::pair<const Expr *, const FunctionDecl *>> refs_;
};

/// Second walk: checks every constant index against what is known about its base.
class Checker : public RecursiveASTVisitor<Checker> {
 public:
  Checker(ASTContext &context, const Facts &facts, Report &report)
      : context_(context), facts_(facts), escaped_(facts.escaped()), report_(report) {}

  bool shouldVisitTemplateInstantiations() const { return true; }
  bool shouldVisitImplicitCode() const { return false; }

  bool VisitUnaryOperator(UnaryOperator *op) {
    if (op->getOpcode() == UO_AddrOf) addressed_.insert(op->getSubExpr()->IgnoreParens());
    return true;
  }

  bool VisitArraySubscriptExpr(ArraySubscriptExpr *e) {
    const auto index = constant(e->getIdx());
    if (!index || !inMainFile(e)) return true;
    if (const auto *vector = e->getBase()->IgnoreParenImpCasts()->getType()->getAs<VectorType>()) {
      ++report_.indices;
      if (*index < 0 || *index >= static_cast<int64_t>(vector->getNumElements())) {
        add(e, fmt::format("lane {} of a vector of {}", *index, vector->getNumElements()));
      }
      return true;
    }
    const auto base = resolve(e->getBase());
    if (!base) {
      ++report_.unknown;
      return true;
    }
    const int64_t size = sizeOf(e->getType());
    const Place at = base->moved(*index * size);
    const bool address = addressed_.contains(e);
    ++report_.indices;
    if (at.before < 0 || at.after < (address ? 0 : size)) add(e, outside(*index, *base, size));
    return true;
  }

  bool VisitBinaryOperator(BinaryOperator *op) {
    if (op->getOpcode() != BO_Add && op->getOpcode() != BO_Sub) return true;
    if (!op->getType()->isPointerType() || !inMainFile(op)) return true;
    const auto move = pointerMove(op);
    if (!move) return true;
    const auto base = resolve(move->base);
    if (!base) {
      ++report_.unknown;
      return true;
    }
    ++report_.indices;
    if (!base->moved(move->bytes).inside()) add(op, outside(move->bytes / move->size, *base, move->size));
    return true;
  }

  bool VisitCallExpr(CallExpr *call) {
    if (!inMainFile(call)) return true;
    const auto access = vectorAccess(call);
    if (!access) return true;
    const auto at = resolve(access->first);
    if (!at) return true;
    ++report_.indices;
    if (at->before < 0 || at->after < access->second) {
      add(call, fmt::format("{} bytes are touched where {} are left in the array", access->second, at->after));
    }
    return true;
  }

  std::vector<Violation> violations;

 private:
  struct Move {
    const Expr *base;
    int64_t bytes, size;
  };

  std::optional<int64_t> constant(const Expr *e) const {
    if (e->isValueDependent() || e->isTypeDependent() || !e->getType()->isIntegralOrEnumerationType()) return {};
    Expr::EvalResult result;
    if (!e->EvaluateAsInt(result, context_)) return {};
    return result.Val.getInt().getExtValue();
  }

  int64_t sizeOf(QualType type) const {
    if (type->isDependentType() || type->isIncompleteType()) return 1;
    return context_.getTypeSizeInChars(type).getQuantity();
  }

  std::optional<Move> pointerMove(const BinaryOperator *op) const {
    const bool pointerLeft = op->getLHS()->getType()->isPointerType();
    const Expr *pointer = pointerLeft ? op->getLHS() : op->getRHS();
    const auto offset = constant(pointerLeft ? op->getRHS() : op->getLHS());
    if (!offset || !pointer->getType()->isPointerType()) return {};
    const int64_t size = sizeOf(pointer->getType()->getPointeeType());
    return Move{pointer, (op->getOpcode() == BO_Sub ? -*offset : *offset) * size, size};
  }

  /// What is known about the address that a pointer expression gives.
  std::optional<Place> resolve(const Expr *expression) {
    const Expr *e = peel(expression);
    if (e->isValueDependent() || e->isTypeDependent()) return {};
    if (const auto *cast = dyn_cast<CastExpr>(e)) return wholeArray(cast->getSubExpr()->getType());
    if (const auto *op = dyn_cast<BinaryOperator>(e)) {
      if (op->getOpcode() != BO_Add && op->getOpcode() != BO_Sub) return {};
      const auto move = pointerMove(op);
      const auto base = move ? resolve(move->base) : std::nullopt;
      if (!base) return {};
      return base->moved(move->bytes);
    }
    if (const auto *op = dyn_cast<UnaryOperator>(e)) {
      if (op->getOpcode() != UO_AddrOf) return {};
      const Expr *object = op->getSubExpr()->IgnoreParens();
      if (const auto *element = dyn_cast<ArraySubscriptExpr>(object)) {
        const auto index = constant(element->getIdx());
        const auto base = index ? resolve(element->getBase()) : std::nullopt;
        if (!base) return {};
        return base->moved(*index * sizeOf(element->getType()));
      }
      return Place{0, sizeOf(object->getType())};
    }
    if (const auto *ref = dyn_cast<DeclRefExpr>(e)) {
      if (const auto *variable = dyn_cast<VarDecl>(ref->getDecl())) return resolveVariable(variable);
    }
    return {};
  }

  std::optional<Place> wholeArray(QualType type) const {
    const auto *array = context_.getAsConstantArrayType(type.getNonReferenceType());
    if (!array) return {};
    return Place{0, sizeOf(type.getNonReferenceType())};
  }

  std::optional<Place> resolveVariable(const VarDecl *variable) {
    if (!variable->getType()->isPointerType() || facts_.changed.contains(variable)) return {};
    if (const auto known = known_.find(variable); known != known_.end()) return known->second;
    known_[variable] = std::nullopt;  // while it is being found out: recursion knows nothing
    std::optional<Place> place;
    if (const auto *parameter = dyn_cast<ParmVarDecl>(variable)) {
      place = resolveParameter(parameter);
    } else if (const Expr *init = variable->getAnyInitializer()) {
      place = resolve(init);
    }
    known_[variable] = place;
    return place;
  }

  /// The least that any caller passes.
  std::optional<Place> resolveParameter(const ParmVarDecl *parameter) {
    const auto *function = dyn_cast<FunctionDecl>(parameter->getDeclContext());
    if (!function || escaped_.contains(function->getCanonicalDecl())) return {};
    const auto calls = facts_.calls.find(function->getCanonicalDecl());
    if (calls == facts_.calls.end()) return {};
    std::optional<Place> least;
    for (const CallExpr *call : calls->second) {
      unsigned index = parameter->getFunctionScopeIndex();
      if (isa<CXXOperatorCallExpr>(call) && isa<CXXMethodDecl>(function)) ++index;  // the object comes first
      if (index >= call->getNumArgs()) return {};
      const auto place = resolve(call->getArg(index));
      if (!place) return {};
      least = least ? Place{std::min(least->before, place->before), std::min(least->after, place->after)} : *place;
    }
    return least;
  }

  /// Helpers of rtm/simd.h that touch whole vectors: the pointer, and how many bytes from it on.
  std::optional<std::pair<const Expr *, int64_t>> vectorAccess(const CallExpr *call) const {
    const FunctionDecl *callee = call->getDirectCallee();
    if (!callee || call->getNumArgs() == 0 || call->isTypeDependent() || !callee->getIdentifier()) return {};
    const auto *space = dyn_cast<NamespaceDecl>(callee->getDeclContext());
    if (!space || space->getName() != "simd") return {};
    const llvm::StringRef name = callee->getName();
    const Expr *pointer = call->getArg(0);
    if (!pointer->getType()->isPointerType()) return {};
    if (name == "load") return std::pair{pointer, sizeOf(callee->getReturnType())};
    if (name == "loadHalf") return std::pair{pointer, sizeOf(callee->getReturnType()) / 2};
    if (name == "store" && call->getNumArgs() == 2) return std::pair{pointer, sizeOf(call->getArg(1)->getType())};
    if (name == "storeHalf" && call->getNumArgs() == 2) {
      return std::pair{pointer, sizeOf(call->getArg(1)->getType()) / 2};
    }
    if (name == "broadcast") {
      const auto *args = callee->getTemplateSpecializationArgs();
      if (!args || args->size() < 2 || args->get(1).getKind() != TemplateArgument::Integral) return {};
      return std::pair{pointer, args->get(1).getAsIntegral().getExtValue() *
                                    sizeOf(callee->getParamDecl(0)->getType()->getPointeeType())};
    }
    return {};
  }

  bool inMainFile(const Expr *e) const {
    const SourceManager &sources = context_.getSourceManager();
    return !e->isTypeDependent() && sources.isInMainFile(sources.getExpansionLoc(e->getExprLoc()));
  }

  static std::string outside(int64_t index, const Place &base, int64_t size) {
    if (base.before == 0)
      return fmt::format("index {} of an array of {}", index, base.after / std::max<int64_t>(size, 1));
    return fmt::format("index {} where {} lie before and {} after", index, base.before / std::max<int64_t>(size, 1),
                       base.after / std::max<int64_t>(size, 1));
  }

  void add(const Expr *e, std::string message) {
    const SourceManager &sources = context_.getSourceManager();
    const PresumedLoc at = sources.getPresumedLoc(sources.getExpansionLoc(e->getExprLoc()));
    violations.push_back({at.getLine(), at.getColumn(), std::move(message)});
  }

  ASTContext &context_;
  const Facts &facts_;
  std::set<const FunctionDecl *> escaped_;
  Report &report_;
  std::set<const Expr *> addressed_;
  std::map<const VarDecl *, std::optional<Place>> known_;
};

}  // namespace

std::vector<Violation> checkBounds(clang::ASTContext &context, Report &report) {
  Facts facts;
  facts.TraverseDecl(context.getTranslationUnitDecl());
  Checker checker(context, facts, report);
  checker.TraverseDecl(context.getTranslationUnitDecl());
  auto &found = checker.violations;
  const auto key = [](const Violation &v) { return std::tuple(v.line, v.column, v.message); };
  std::sort(found.begin(), found.end(), [&](const auto &a, const auto &b) { return key(a) < key(b); });
  found.erase(std::unique(found.begin(), found.end(), [&](const auto &a, const auto &b) { return key(a) == key(b); }),
              found.end());
  return found;
}

}  // namespace rtmc::clang_check
