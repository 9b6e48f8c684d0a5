// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {IRegistryAll, IEntry} from "./Interfaces.sol";

contract RegistryTest is Base {
    address[4] private owners = [address(0x1001), address(0x1002), address(0x1003), address(0x1004)];
    uint256[] private made;
    mapping(address => uint256[]) private lists; // the plain way

    function create(address owner, uint256 n) internal returns (address entry) {
        entry = datasets.createDataset(owner, "d", abi.encode(n), bytes32(n));
        made.push(uint160(entry));
        lists[owner].push(uint160(entry));
    }

    function move(address from, address to, uint256 id) internal {
        vm.prank(from);
        datasets.transferFrom(from, to, id);
        uint256[] storage list = lists[from];
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i] == id) {
                list[i] = list[list.length - 1];
                list.pop();
                break;
            }
        }
        lists[to].push(id);
    }

    function check() internal view {
        eq(datasets.totalSupply(), made.length + 1, "total"); // and the one of the set-up
        for (uint256 i = 0; i < made.length; ++i) {
            eq(datasets.tokenByIndex(i + 1), made[i], "by index");
        }
        for (uint256 k = 0; k < owners.length; ++k) {
            uint256[] storage list = lists[owners[k]];
            eq(datasets.balanceOf(owners[k]), list.length, "balance");
            for (uint256 i = 0; i < list.length; ++i) {
                eq(datasets.tokenOfOwnerByIndex(owners[k], i), list[i], "of owner by index");
                eq(datasets.ownerOf(list[i]), owners[k], "owner");
            }
        }
    }

    /* Enumeration is packed five to a slot: against plain lists, through any creations and transfers. */
    function testFuzz_lists_are_what_plain_lists_would_be(uint256 seed) public {
        for (uint256 step = 0; step < 60; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            address a = owners[seed % 4];
            address b = owners[(seed >> 8) % 4];
            if (lists[a].length == 0 || seed % 5 < 2) {
                create(a, step);
            } else {
                uint256 id = lists[a][(seed >> 16) % lists[a].length];
                if (a == b) {
                    vm.prank(a);
                    datasets.transferFrom(a, a, id);
                } else {
                    move(a, b, id);
                }
            }
            if (step % 12 == 11) check();
        }
        check();
    }

    function testFuzz_app_fields_come_back(
        address owner,
        string memory name,
        string memory kind,
        bytes memory multiaddr,
        bytes32 checksum,
        bytes memory mrenclave
    ) public {
        if (owner == address(0)) owner = address(1);
        address want = apps.predictApp(owner, name, kind, multiaddr, checksum, mrenclave);
        address entry = apps.createApp(owner, name, kind, multiaddr, checksum, mrenclave);
        eq(entry, want, "as predicted");
        IEntry e = IEntry(entry);
        eq(e.owner(), owner, "owner");
        eq(e.registry(), address(apps), "registry");
        eq(bytes(e.m_appName()), bytes(name), "name");
        eq(bytes(e.m_appType()), bytes(kind), "type");
        eq(e.m_appMultiaddr(), multiaddr, "multiaddr");
        eq(e.m_appChecksum(), checksum, "checksum");
        eq(e.m_appMREnclave(), mrenclave, "mrenclave");
        yes(apps.isRegistered(entry), "registered");
        vm.expectRevert(says("Create2: Failed on deploy"));
        apps.createApp(owner, name, kind, multiaddr, checksum, mrenclave);
    }

    function test_masters_and_entries_are_initialized_for_good() public {
        address master = pools.master();
        eq(IEntry(master).registry(), address(pools), "registry");
        vm.expectRevert(says("already initialized"));
        IEntry(pool).initialize("x");
        vm.expectRevert(says("already initialized"));
        IEntry(master).initialize("x");
    }

    function testFuzz_policy_comes_back(uint256 stakeRatio, uint256 schedulerRatio) public {
        eq(IEntry(pool).m_workerStakeRatioPolicy(), 30, "default");
        eq(IEntry(pool).m_schedulerRewardRatioPolicy(), 1, "default");
        vm.prank(scheduler);
        if (schedulerRatio > 100) vm.expectRevert();
        IEntry(pool).changePolicy(stakeRatio, schedulerRatio);
        if (schedulerRatio > 100) {
            schedulerRatio %= 101;
            vm.prank(scheduler);
            IEntry(pool).changePolicy(stakeRatio, schedulerRatio);
        }
        eq(IEntry(pool).m_workerStakeRatioPolicy(), stakeRatio, "stake");
        eq(IEntry(pool).m_schedulerRewardRatioPolicy(), schedulerRatio, "scheduler");
        vm.expectRevert(says("caller is not the owner"));
        IEntry(pool).changePolicy(1, 1);
    }

    function test_stake_ratios_at_the_edge_of_the_packed_word() public {
        uint256[4] memory edge = [uint256(2 ** 240 - 2), 2 ** 240 - 1, 2 ** 240, type(uint256).max];
        for (uint256 i = 0; i < 4; ++i) {
            vm.prank(scheduler);
            IEntry(pool).changePolicy(edge[i], 100);
            eq(IEntry(pool).m_workerStakeRatioPolicy(), edge[i], "stake");
            eq(IEntry(pool).m_schedulerRewardRatioPolicy(), 100, "scheduler");
        }
        vm.prank(scheduler);
        IEntry(pool).changePolicy(0, 0);
        eq(IEntry(pool).m_workerStakeRatioPolicy(), 0, "zero is not the default");
        eq(IEntry(pool).m_schedulerRewardRatioPolicy(), 0, "zero is not the default");
    }

    function err(string memory text, address a) internal pure returns (bytes memory) {
        return abi.encodeWithSignature(text, a);
    }

    function test_transfers_need_the_owner_or_his_word() public {
        uint256 id = uint160(create(owners[0], 1));
        bytes memory no = abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", owners[1], id);
        vm.prank(owners[1]);
        vm.expectRevert(no);
        datasets.transferFrom(owners[0], owners[1], id);
        vm.prank(owners[1]);
        vm.expectRevert(err("ERC721InvalidApprover(address)", owners[1]));
        datasets.approve(owners[2], id);
        vm.prank(owners[0]);
        datasets.approve(owners[2], id);
        eq(datasets.getApproved(id), owners[2], "approved");
        vm.prank(owners[2]);
        datasets.transferFrom(owners[0], owners[1], id);
        eq(datasets.getApproved(id), address(0), "approval is gone");
        vm.prank(owners[2]);
        vm.expectRevert();
        datasets.transferFrom(owners[1], owners[2], id);

        vm.prank(owners[1]);
        vm.expectRevert(err("ERC721InvalidOperator(address)", address(0)));
        datasets.setApprovalForAll(address(0), true);
        vm.prank(owners[1]);
        datasets.setApprovalForAll(owners[3], true);
        yes(datasets.isApprovedForAll(owners[1], owners[3]), "operator");
        vm.prank(owners[3]);
        vm.expectRevert(
            abi.encodeWithSignature("ERC721IncorrectOwner(address,uint256,address)", owners[0], id, owners[1])
        );
        datasets.transferFrom(owners[0], owners[2], id);
        vm.prank(owners[3]);
        datasets.approve(owners[2], id);
        vm.prank(owners[3]);
        vm.expectRevert(err("ERC721InvalidReceiver(address)", address(0)));
        datasets.transferFrom(owners[1], address(0), id);
        vm.prank(owners[3]);
        datasets.transferFrom(owners[1], owners[2], id);
        eq(datasets.ownerOf(id), owners[2], "moved");
        vm.expectRevert(abi.encodeWithSignature("ERC721NonexistentToken(uint256)", 7));
        datasets.transferFrom(address(0), owners[2], 7);
        vm.expectRevert(abi.encodeWithSignature("ERC721NonexistentToken(uint256)", 7));
        datasets.getApproved(7);
        vm.expectRevert(err("ERC721InvalidOwner(address)", address(0)));
        datasets.balanceOf(address(0));
        vm.expectRevert(abi.encodeWithSignature("ERC721OutOfBoundsIndex(address,uint256)", address(0), 99));
        datasets.tokenByIndex(99);
        vm.expectRevert(abi.encodeWithSignature("ERC721OutOfBoundsIndex(address,uint256)", owners[0], 0));
        datasets.tokenOfOwnerByIndex(owners[0], 0);
    }

    function test_safe_transfers_ask_contracts() public {
        address receiver = artifact("Mocks", "NftReceiverMock");
        uint256 id = uint160(create(owners[0], 1));
        vm.prank(owners[0]);
        datasets.safeTransferFrom(owners[0], receiver, id, "data");
        eq(datasets.ownerOf(id), receiver, "accepted");
        (bool ok,) = receiver.call(abi.encodeWithSignature("setAnswer(bytes4)", bytes4(0x12345678)));
        yes(ok, "set");
        id = uint160(create(owners[0], 2));
        vm.prank(owners[0]);
        vm.expectRevert(err("ERC721InvalidReceiver(address)", receiver));
        datasets.safeTransferFrom(owners[0], receiver, id);
        (ok,) = receiver.call(abi.encodeWithSignature("setAnswer(bytes4)", bytes4(0xdeadbeef)));
        vm.prank(owners[0]);
        vm.expectRevert(says("refused"));
        datasets.safeTransferFrom(owners[0], receiver, id);
        vm.prank(owners[0]);
        vm.expectRevert(err("ERC721InvalidReceiver(address)", address(rlc)));
        datasets.safeTransferFrom(owners[0], address(rlc), id);
        vm.prank(owners[0]);
        datasets.safeTransferFrom(owners[0], owners[1], id);
        eq(datasets.ownerOf(id), owners[1], "an account is not asked");
    }

    function test_ownership_and_metadata() public {
        eq(bytes(datasets.tokenURI(uint160(dataset))), "", "no base yet");
        datasets.setBaseURI("base/");
        yes(bytes(datasets.tokenURI(uint160(dataset))).length > 40, "base and number");
        yes(datasets.supportsInterface(0x01ffc9a7), "ERC-165");
        yes(datasets.supportsInterface(0x80ac58cd), "ERC-721");
        yes(datasets.supportsInterface(0x780e9d63), "enumerable");
        yes(datasets.supportsInterface(0x5b5e139f), "metadata");
        yes(!datasets.supportsInterface(0xffffffff), "not everything");
        vm.expectRevert(says("Ownable: new owner is the zero address"));
        datasets.transferOwnership(address(0));
        datasets.transferOwnership(owners[0]);
        vm.expectRevert(says("Ownable: caller is not the owner"));
        datasets.setBaseURI("x");
        vm.prank(owners[0]);
        datasets.renounceOwnership();
        eq(datasets.owner(), address(0), "nobody's");
        /* nobody but an entry being born gets an answer to an empty call */
        (bool ok, bytes memory answer) = address(datasets).call("");
        yes(!ok && answer.length == 0, "empty call");
        (ok,) = address(datasets).call(hex"12345678");
        yes(!ok, "unknown call");
    }
}
