// SPDX-License-Identifier: Apache-2.0
// Which operations on names are durable, and the disks that come out of a crash.
#include "support/simulated_disk.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace stream::test {

// Copies nodes; one with two names stays one.
struct SimulatedDisk::Copier {
    std::unordered_map<const Node*, NodePtr> made;
    std::unordered_map<const Node*, NodeNames> names_left;  // where not the durable ones

    const NodeNames& names_of(const Node& folder) const {
        const auto found = names_left.find(&folder);
        return found == names_left.end() ? folder.durable_names : found->second;
    }

    NodePtr crashed(const Node& node, const std::string& path, SeededRandom& chance, const Dials& dials,
                    std::string* story) {
        NodePtr& slot = made[&node];
        if (slot != nullptr) return slot;
        const NodePtr copy = slot = std::make_shared<Node>(node.is_folder);
        if (node.is_folder) {
            for (const auto& [name, inner] : names_of(node)) {
                copy->names.emplace_hint(
                    copy->names.end(), name,
                    crashed(*inner, story == nullptr ? path : path + "/" + name, chance, dials, story));
            }
            copy->durable_names = copy->names;
        } else {
            const bool tells = story != nullptr && !node.file.is_durable();
            if (tells) *story += path + ": ";
            copy->file = SimulatedFile(node.file.after_crash(chance, dials.torn, story));
            if (tells) *story += "\n";
        }
        return copy;
    }

    NodePtr kept(const NodePtr& node) {
        if (node == nullptr) return nullptr;
        NodePtr& slot = made[node.get()];
        if (slot != nullptr) return slot;
        const NodePtr copy = slot = std::make_shared<Node>(*node);
        copy->locked = false;
        for (auto& [name, inner] : copy->names) inner = kept(inner);
        for (auto& [name, inner] : copy->durable_names) inner = kept(inner);
        return copy;
    }
};

void SimulatedDisk::NameChange::apply(NodeNames& names) const {
    if (node == nullptr) {
        names.erase(name);
    } else {
        names[name] = node;
    }
}

// Of the pending operations: those in the folder and those before that they build on, which is all before
// in any folder of theirs when operations come in order, else those with a name of theirs.
std::vector<bool> SimulatedDisk::needed_by(const Node& folder) const {
    std::vector<bool> needed(pending_.size());
    std::vector<const NameChange*> touched;
    for (std::size_t i = pending_.size(); i-- > 0;) {
        const auto& changes = pending_[i].changes;
        needed[i] = std::any_of(changes.begin(), changes.end(), [&](const auto& change) {
            return change.folder.get() == &folder ||
                   std::any_of(touched.begin(), touched.end(), [&](const auto* later) {
                       return later->folder == change.folder &&
                              (dials_.names == Names::in_order || later->name == change.name);
                   });
        });
        if (!needed[i]) continue;
        for (const auto& change : changes) touched.push_back(&change);
    }
    return needed;
}

// The pending operations that are to be durable are, and those that are gone are pending no more.
void SimulatedDisk::settle(const std::vector<bool>& durable, const std::vector<bool>& gone) {
    std::vector<NameOperation> rest;
    for (std::size_t i = 0; i < pending_.size(); ++i) {
        if (durable[i]) {
            for (const NameChange& change : pending_[i].changes) change.apply(change.folder->durable_names);
        }
        if (!gone[i]) rest.push_back(std::move(pending_[i]));
    }
    pending_ = std::move(rest);
}

std::vector<bool> SimulatedDisk::draw_surviving(SeededRandom& chance) const {
    std::vector<bool> survives(pending_.size());
    if (dials_.names == Names::any_subset) {
        const std::uint64_t style = chance.below(4);  // none, all, or any
        for (std::size_t i = 0; i < survives.size(); ++i) {
            survives[i] = style == 1 || (style > 1 && chance.one_in(2));
        }
        return survives;
    }
    std::unordered_map<const Node*, std::uint64_t> left;  // how many more of the folder's survive
    for (const NameOperation& operation : pending_) {
        for (const auto& change : operation.changes) ++left[change.folder.get()];
    }
    std::unordered_map<const Node*, bool> drawn;
    for (std::size_t i = 0; i < survives.size(); ++i) {
        const auto& changes = pending_[i].changes;
        for (const auto& change : changes) {
            if (std::exchange(drawn[change.folder.get()], true)) continue;
            std::uint64_t& most = left[change.folder.get()];
            const std::uint64_t style = chance.below(4);
            most = style == 0 ? 0 : style == 1 ? most : chance.below(most + 1);
        }
        survives[i] = std::all_of(changes.begin(), changes.end(),
                                  [&](const auto& change) { return left[change.folder.get()] > 0; });
        for (const auto& change : changes) {
            std::uint64_t& more = left[change.folder.get()];
            more = survives[i] && more > 0 ? more - 1 : 0;
        }
    }
    return survives;
}

std::unique_ptr<SimulatedDisk> SimulatedDisk::crash(std::uint64_t seed, std::string* story) const {
    SeededRandom chance(seed);
    auto disk = std::make_unique<SimulatedDisk>(chance.next(), dials_);
    const std::vector<bool> survives = draw_surviving(chance);
    Copier copier;
    for (std::size_t i = 0; i < survives.size(); ++i) {
        if (story != nullptr) *story += pending_[i].text + (survives[i] ? ": kept\n" : ": lost\n");
        if (!survives[i]) continue;
        for (const NameChange& change : pending_[i].changes) {
            const Node* folder = change.folder.get();
            change.apply(copier.names_left.try_emplace(folder, folder->durable_names).first->second);
        }
    }
    disk->root_ = copier.crashed(*root_, "", chance, dials_, story);
    disk->now_ = now_;
    return disk;
}

std::unique_ptr<SimulatedDisk> SimulatedDisk::killed(std::uint64_t seed) const {
    auto disk = std::make_unique<SimulatedDisk>(seed, dials_);
    Copier copier;
    disk->root_ = copier.kept(root_);
    disk->now_ = now_;
    disk->pending_ = pending_;
    for (NameOperation& operation : disk->pending_) {
        for (auto& [folder, name, node] : operation.changes) {
            folder = copier.kept(folder);
            node = copier.kept(node);
        }
    }
    return disk;
}

}  // namespace stream::test
