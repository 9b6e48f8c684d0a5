// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Blob} from "../lib/Blob.sol";

interface IERC721Receiver {
    function onERC721Received(address operator, address from, uint256 tokenId, bytes calldata data)
        external
        returns (bytes4);
}

interface IRegistry {
    function ownerOf(uint256 tokenId) external view returns (address);

    function isRegistered(address entry) external view returns (bool);
}

/*
 * A registry of entries, each an ERC-721 token whose id is the entry's address.
 *
 * Enumeration is packed: a token's slot holds its owner, its number in the registry and its place in the owner's list;
 * an owner's list holds token numbers, five to a slot (four in the first one, beside the balance). Tokens are never
 * burnt.
 *
 * An entry is a minimal proxy (EIP-1167) to the master followed by the entry's constant data, installed by the
 * 14-byte init code of Blob: so the init code is the same for all, and an entry's address follows from its salt.
 */
abstract contract Registry {
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
    event Approval(address indexed owner, address indexed approved, uint256 indexed tokenId);
    event ApprovalForAll(address indexed owner, address indexed operator, bool approved);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    error ERC721InvalidOwner(address owner);
    error ERC721NonexistentToken(uint256 tokenId);
    error ERC721IncorrectOwner(address sender, uint256 tokenId, address owner);
    error ERC721InvalidReceiver(address receiver);
    error ERC721InsufficientApproval(address operator, uint256 tokenId);
    error ERC721InvalidApprover(address approver);
    error ERC721InvalidOperator(address operator);
    error ERC721OutOfBoundsIndex(address owner, uint256 index);

    uint256 private constant MASK160 = type(uint160).max;
    uint256 private constant MASK48 = 2 ** 48 - 1;

    string public name;
    string public symbol;
    string public baseURI;
    address public owner;
    address public immutable master;
    address public previous;
    bool public initialized;
    uint256 public totalSupply;

    /* token -> owner 160 | number 48 | place in the owner's list 48 */
    mapping(uint256 => uint256) private tokens;
    mapping(uint256 => uint256) private numbers; // number -> token
    mapping(address => mapping(uint256 => uint256)) private lists; // owner -> list; slot 0: balance 64, first numbers
    mapping(uint256 => address) private approvals;
    mapping(address => mapping(address => bool)) public isApprovedForAll;

    modifier onlyOwner() {
        require(msg.sender == owner, "Ownable: caller is not the owner");
        _;
    }

    constructor(address master_, string memory name_, string memory symbol_) {
        master = master_;
        name = name_;
        symbol = symbol_;
        owner = msg.sender;
        emit OwnershipTransferred(address(0), msg.sender);
    }

    /* Answers an entry being created; anything else is unknown here. */
    fallback() external {
        if (msg.data.length == 0) Blob.answer();
        revert();
    }

    /* ---- administration ---- */

    function initialize(address previous_) external onlyOwner {
        require(!initialized);
        initialized = true;
        previous = previous_;
    }

    function setBaseURI(string calldata baseUri) external onlyOwner {
        baseURI = baseUri;
    }

    function setName(address, string calldata) external view onlyOwner {
        revert("Operation not supported on this chain");
    }

    function transferOwnership(address newOwner) external onlyOwner {
        require(newOwner != address(0), "Ownable: new owner is the zero address");
        emit OwnershipTransferred(owner, newOwner);
        owner = newOwner;
    }

    function renounceOwnership() external onlyOwner {
        emit OwnershipTransferred(owner, address(0));
        owner = address(0);
    }

    /* ---- entries ---- */

    function proxyCode() public pure returns (bytes memory) {
        return hex"3d3d3d3d335afa3d5f5f3e3d5ff3";
    }

    function proxyCodeHash() external pure returns (bytes32) {
        return Blob.INIT_HASH;
    }

    function isRegistered(address entry) external view returns (bool) {
        if (tokens[uint160(entry)] != 0) return true;
        return previous != address(0) && IRegistry(previous).isRegistered(entry);
    }

    /* salt = keccak256(initialize(...) call ++ owner), as clients of the first registries computed it. */
    function salt(bytes memory initCall, address owner_) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(initCall, owner_));
    }

    function predict(bytes memory initCall, address owner_) internal view returns (address) {
        return Blob.locate(salt(initCall, owner_));
    }

    /* `data` is what the entry's master reads back: see Entry. */
    function create(bytes memory initCall, address owner_, bytes memory data) internal returns (address entry) {
        address master_ = master;
        bytes memory code =
            abi.encodePacked(hex"363d3d373d3d3d363d73", master_, hex"5af43d82803e903d91602b57fd5bf3", data);
        uint256 p;
        assembly ("memory-safe") {
            p := add(code, 32)
        }
        entry = Blob.create(salt(initCall, owner_), p, code.length);
        require(entry != address(0), "Create2: Failed on deploy");
        if (owner_ == address(0)) revert ERC721InvalidReceiver(address(0));

        uint256 number = totalSupply;
        totalSupply = number + 1;
        numbers[number] = uint160(entry);
        tokens[uint160(entry)] = uint160(owner_) | (number << 160) | (push(owner_, number) << 208);
        emit Transfer(address(0), owner_, uint160(entry));
    }

    /* ---- lists ---- */

    /* Where the j-th place of a list is: slot and bit. */
    function place(uint256 j) private pure returns (uint256 slot, uint256 shift) {
        unchecked {
            j += 1;
            return (j / 5, (j % 5) * 48 + (j < 5 ? 16 : 0));
        }
    }

    function push(address to, uint256 number) private returns (uint256 j) {
        uint256 head = lists[to][0];
        j = head & MASK48;
        (uint256 slot, uint256 shift) = place(j);
        head += 1;
        if (slot == 0) {
            lists[to][0] = set(head, shift, number);
        } else {
            lists[to][0] = head;
            lists[to][slot] = set(lists[to][slot], shift, number);
        }
    }

    function numberAt(address who, uint256 j) private view returns (uint256) {
        (uint256 slot, uint256 shift) = place(j);
        return (lists[who][slot] >> shift) & MASK48;
    }

    /* Takes place j out of a list; the last one takes its place. */
    function remove(address from, uint256 j) private {
        uint256 last = (lists[from][0] & MASK48) - 1;
        uint256 number = numberAt(from, last);
        (uint256 slot, uint256 shift) = place(last);
        lists[from][slot] = set(lists[from][slot], shift, 0);
        if (j != last) {
            (slot, shift) = place(j);
            lists[from][slot] = set(lists[from][slot], shift, number);
            uint256 token = numbers[number];
            tokens[token] = (tokens[token] & (2 ** 208 - 1)) | (j << 208);
        }
        lists[from][0] -= 1;
    }

    function set(uint256 word, uint256 shift, uint256 number) private pure returns (uint256) {
        return (word & ~(MASK48 << shift)) | (number << shift);
    }

    /* ---- ERC-721, enumerable, with metadata ---- */

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x01ffc9a7 || id == 0x80ac58cd || id == 0x5b5e139f || id == 0x780e9d63;
    }

    function balanceOf(address who) external view returns (uint256) {
        if (who == address(0)) revert ERC721InvalidOwner(address(0));
        return lists[who][0] & MASK48;
    }

    function ownerOf(uint256 tokenId) public view returns (address who) {
        who = address(uint160(tokens[tokenId]));
        if (who == address(0)) revert ERC721NonexistentToken(tokenId);
    }

    function tokenURI(uint256 tokenId) external view returns (string memory) {
        ownerOf(tokenId);
        if (bytes(baseURI).length == 0) return "";
        return string.concat(baseURI, decimal(tokenId));
    }

    function tokenByIndex(uint256 index) external view returns (uint256) {
        if (index >= totalSupply) revert ERC721OutOfBoundsIndex(address(0), index);
        return numbers[index];
    }

    function tokenOfOwnerByIndex(address who, uint256 index) external view returns (uint256) {
        if (index >= lists[who][0] & MASK48) revert ERC721OutOfBoundsIndex(who, index);
        return numbers[numberAt(who, index)];
    }

    function getApproved(uint256 tokenId) external view returns (address) {
        ownerOf(tokenId);
        return approvals[tokenId];
    }

    function approve(address to, uint256 tokenId) external {
        address who = ownerOf(tokenId);
        if (msg.sender != who && !isApprovedForAll[who][msg.sender]) revert ERC721InvalidApprover(msg.sender);
        approvals[tokenId] = to;
        emit Approval(who, to, tokenId);
    }

    function setApprovalForAll(address operator, bool approved) external {
        if (operator == address(0)) revert ERC721InvalidOperator(address(0));
        isApprovedForAll[msg.sender][operator] = approved;
        emit ApprovalForAll(msg.sender, operator, approved);
    }

    function transferFrom(address from, address to, uint256 tokenId) public {
        if (to == address(0)) revert ERC721InvalidReceiver(address(0));
        uint256 token = tokens[tokenId];
        address who = address(uint160(token));
        address approved = approvals[tokenId];
        if (msg.sender != who && !isApprovedForAll[who][msg.sender] && msg.sender != approved) {
            if (who == address(0)) revert ERC721NonexistentToken(tokenId);
            revert ERC721InsufficientApproval(msg.sender, tokenId);
        }
        if (who == address(0)) revert ERC721NonexistentToken(tokenId);
        if (who != from) revert ERC721IncorrectOwner(from, tokenId, who);
        if (approved != address(0)) approvals[tokenId] = address(0);
        if (from != to) {
            uint256 number = (token >> 160) & MASK48;
            remove(from, token >> 208);
            tokens[tokenId] = uint160(to) | (number << 160) | (push(to, number) << 208);
        }
        emit Transfer(from, to, tokenId);
    }

    function safeTransferFrom(address from, address to, uint256 tokenId) external {
        safeTransferFrom(from, to, tokenId, "");
    }

    function safeTransferFrom(address from, address to, uint256 tokenId, bytes memory data) public {
        transferFrom(from, to, tokenId);
        if (to.code.length == 0) return;
        try IERC721Receiver(to).onERC721Received(msg.sender, from, tokenId, data) returns (bytes4 answer) {
            if (answer != IERC721Receiver.onERC721Received.selector) revert ERC721InvalidReceiver(to);
        } catch (bytes memory failure) {
            if (failure.length == 0) revert ERC721InvalidReceiver(to);
            assembly ("memory-safe") {
                revert(add(failure, 32), mload(failure))
            }
        }
    }

    function decimal(uint256 value) private pure returns (string memory text) {
        if (value == 0) return "0";
        uint256 digits = 0;
        for (uint256 v = value; v != 0; v /= 10) {
            ++digits;
        }
        bytes memory out = new bytes(digits);
        for (; value != 0; value /= 10) {
            out[--digits] = bytes1(uint8(48 + (value % 10)));
        }
        return string(out);
    }
}
