// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {
    AppOrder,
    DatasetOrder,
    WorkerpoolOrder,
    RequestOrder,
    AppOrderOperation,
    DatasetOrderOperation,
    RequestOrderOperation,
    OrderOperation
} from "../lib/Types.sol";

interface IHub {
    function transferFrom(address from, address to, uint256 amount) external returns (bool);

    function manageAppOrder(AppOrderOperation calldata operation) external;

    function manageDatasetOrder(DatasetOrderOperation calldata operation) external;

    function manageRequestOrder(RequestOrderOperation calldata operation) external;

    function matchOrders(
        AppOrder calldata appOrder,
        DatasetOrder calldata datasetOrder,
        WorkerpoolOrder calldata workerpoolOrder,
        RequestOrder calldata requestOrder
    ) external returns (bytes32);
}

interface IDataRegistry {
    function ownerOf(uint256 tokenId) external view returns (address);

    function getApproved(uint256 tokenId) external view returns (address);

    function isApprovedForAll(address owner, address operator) external view returns (bool);

    function safeTransferFrom(address from, address to, uint256 tokenId) external;
}

interface IAppWhitelist {
    function isRegistered(address app) external view returns (bool);
}

interface IAppWhitelistRegistry {
    function ownerOf(uint256 tokenId) external view returns (address);
}

/*
 * Protected data in collections, shared by subscription, rented, sold.
 *
 * A collection is a token of this contract. Data put into one is held here, with a free order that only this contract
 * may use and only for the apps of a whitelist; consuming makes a deal whose beneficiary is the consumer. Prices are
 * staked RLC moved inside the hub from payer to the collection's owner.
 */
contract DataProtectorSharing is
    ERC721("iExec DataProtectorSharing", "iExecDataProtectorSharing"),
    AccessControl,
    Multicall
{
    struct SubscriptionParams {
        uint72 price;
        uint40 duration;
    }

    struct RentingParams {
        uint72 price;
        uint40 duration;
    }

    struct SellingParams {
        bool isForSale;
        uint72 price;
    }

    struct CollectionDetails {
        uint256 size;
        uint48 lastSubscriptionExpiration;
        SubscriptionParams subscriptionParams;
        mapping(address => uint48) subscribers;
    }

    struct ProtectedDataDetails {
        uint256 collection;
        address addOnlyAppWhitelist;
        uint48 lastRentalExpiration;
        bool inSubscription;
        RentingParams rentingParams;
        SellingParams sellingParams;
        mapping(address => uint48) renters;
    }

    enum Mode {
        SUBSCRIPTION,
        RENTING
    }

    event Initialized(uint64 version);
    event NewRental(uint256 collectionTokenId, address protectedData, address renter, uint48 endDate);
    event NewSubscription(uint256 collectionTokenId, address indexed subscriber, uint48 endDate);
    event NewSubscriptionParams(uint256 collectionTokenId, SubscriptionParams subscriptionParams);
    event ProtectedDataAddedForRenting(uint256 collectionTokenId, address protectedData, RentingParams rentingParams);
    event ProtectedDataAddedForSale(uint256 collectionTokenId, address protectedData, uint72 price);
    event ProtectedDataAddedForSubscription(uint256 collectionTokenId, address protectedData);
    event ProtectedDataConsumed(bytes32 dealId, address protectedData, Mode mode);
    event ProtectedDataRemovedFromRenting(uint256 collectionTokenId, address protectedData);
    event ProtectedDataRemovedFromSale(uint256 collectionTokenId, address protectedData);
    event ProtectedDataRemovedFromSubscription(uint256 collectionTokenId, address protectedData);
    event ProtectedDataSold(uint256 collectionTokenIdFrom, address to, address protectedData);
    event ProtectedDataTransfer(
        address protectedData, uint256 newCollection, uint256 oldCollection, address addOnlyAppWhitelist
    );

    error AppNotWhitelistedForProtectedData(address app);
    error CollectionNotEmpty(uint256 collectionTokenId);
    error DurationInvalid(uint48 _duration);
    error EmptyCallData();
    error InvalidAppWhitelist(address _appWhitelist);
    error InvalidInitialization();
    error InvalidPriceForPurchase(address protectedData, uint72 price);
    error InvalidRentingParams(address protectedData, RentingParams rentingParams);
    error InvalidSubscriptionParams(uint256 collectionTokenId, SubscriptionParams subscriptionParams);
    error NoValidRentalOrSubscription(uint256 collectionTokenId, address protectedDatas);
    error NotAnOwnerOrApprovedOperator();
    error NotCollectionOperator(uint256 collectionTokenId);
    error OnGoingCollectionSubscriptions(uint256 collectionTokenId);
    error OnlyPocoCallerAuthorized(address _caller);
    error ProtectedDataAvailableForRenting(uint256 collectionTokenId, address protectedData);
    error ProtectedDataAvailableInSubscription(uint256 collectionTokenId, address protectedData);
    error ProtectedDataCurrentlyBeingRented(address protectedData);
    error ProtectedDataForSale(address protectedData);
    error ProtectedDataNotAvailableForRenting(address protectedData);
    error ProtectedDataNotForSale(address protectedData);
    error WorkerpoolOrderNotFree(WorkerpoolOrder workerpoolOrder);

    /* An enclave is always required: TDX where the workerpool offers it, else the framework of old deployments. */
    bytes32 private constant TAG_TDX = bytes32(uint256(0x9));
    bytes32 private constant TAG_SCONE = bytes32(uint256(0x3));

    IHub private immutable hub;
    IDataRegistry private immutable registry;
    IAppWhitelistRegistry public immutable ADD_ONLY_APP_WHITELIST_REGISTRY;
    address private immutable deployer;

    string private resultStorage;
    bool private initialized;
    uint256 private lastCollection;
    uint256 private lastSalt;

    mapping(uint256 => CollectionDetails) public collectionDetails;
    mapping(address => ProtectedDataDetails) public protectedDataDetails;
    mapping(address => uint256) public earning; // never used; part of the interface

    constructor(address poco, address datasetRegistry, address whitelistRegistry) {
        hub = IHub(poco);
        registry = IDataRegistry(datasetRegistry);
        ADD_ONLY_APP_WHITELIST_REGISTRY = IAppWhitelistRegistry(whitelistRegistry);
        deployer = msg.sender;
    }

    /* ---- administration ---- */

    function initialize(address admin) external {
        if (initialized || msg.sender != deployer) revert InvalidInitialization();
        initialized = true;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        resultStorage = "ipfs";
        emit Initialized(1);
    }

    function updateEnv(string calldata iexecResultStorageProvider_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        resultStorage = iexecResultStorageProvider_;
    }

    function supportsInterface(bytes4 interfaceId) public view override(ERC721, AccessControl) returns (bool) {
        return super.supportsInterface(interfaceId);
    }

    /* ---- who may ---- */

    modifier onlyOperator(uint256 id) {
        checkOperator(id);
        _;
    }

    modifier onlyDataOperator(address data) {
        checkOperator(protectedDataDetails[data].collection);
        _;
    }

    function checkOperator(uint256 id) private view {
        if (!_isAuthorized(_ownerOf(id), msg.sender, id)) revert NotCollectionOperator(id);
    }

    function checkNoSubscription(uint256 id) private view {
        if (collectionDetails[id].lastSubscriptionExpiration >= block.timestamp) {
            revert OnGoingCollectionSubscriptions(id);
        }
    }

    function checkNotRented(address data) private view {
        if (protectedDataDetails[data].lastRentalExpiration >= block.timestamp) {
            revert ProtectedDataCurrentlyBeingRented(data);
        }
    }

    function checkNotForSale(address data) private view {
        if (protectedDataDetails[data].sellingParams.isForSale) revert ProtectedDataForSale(data);
    }

    /* ---- collections ---- */

    function createCollection(address _to) external returns (uint256 id) {
        id = ++lastCollection;
        _safeMint(_to, id);
    }

    function burn(uint256 tokenId) external {
        if (collectionDetails[tokenId].size != 0) revert CollectionNotEmpty(tokenId);
        checkNoSubscription(tokenId);
        _update(address(0), tokenId, msg.sender);
    }

    function addProtectedDataToCollection(uint256 _collectionTokenId, address _protectedData, address _appWhitelist)
        external
        onlyOperator(_collectionTokenId)
    {
        uint256 token = uint160(_protectedData);
        address owner = registry.ownerOf(token);
        if (
            owner != msg.sender && registry.getApproved(token) != msg.sender
                && !registry.isApprovedForAll(owner, msg.sender)
        ) {
            revert NotAnOwnerOrApprovedOperator();
        }
        /* Data this contract holds is in a collection already; taking it from one needs that one's operator. */
        if (owner == address(this)) revert NotAnOwnerOrApprovedOperator();
        try ADD_ONLY_APP_WHITELIST_REGISTRY.ownerOf(uint160(_appWhitelist)) returns (address) {}
        catch {
            revert InvalidAppWhitelist(_appWhitelist);
        }
        ProtectedDataDetails storage d = protectedDataDetails[_protectedData];
        d.collection = _collectionTokenId;
        d.addOnlyAppWhitelist = _appWhitelist;
        ++collectionDetails[_collectionTokenId].size;
        registry.safeTransferFrom(owner, address(this), token);
        hub.manageDatasetOrder(
            DatasetOrderOperation(dataOrder(_protectedData, _appWhitelist), OrderOperation.SIGN, "")
        );
        emit ProtectedDataTransfer(_protectedData, _collectionTokenId, 0, _appWhitelist);
    }

    function removeProtectedDataFromCollection(address _protectedData) external onlyDataOperator(_protectedData) {
        uint256 id = protectedDataDetails[_protectedData].collection;
        checkNoSubscription(id);
        checkNotRented(_protectedData);
        release(_protectedData, id);
        emit ProtectedDataTransfer(_protectedData, 0, id, address(0));
        registry.safeTransferFrom(address(this), msg.sender, uint160(_protectedData));
    }

    /* Forgets what was set for data that leaves its collection. Rentals are over by then. */
    function release(address data, uint256 id) private {
        --collectionDetails[id].size;
        ProtectedDataDetails storage d = protectedDataDetails[data];
        d.collection = 0;
        d.addOnlyAppWhitelist = address(0);
        d.inSubscription = false;
        delete d.rentingParams;
        delete d.sellingParams;
    }

    /*
     * Apps come here by a transfer. Data, whitelists and collections that come without a call of this contract would
     * be lost: they are refused.
     */
    function onERC721Received(address operator, address, uint256, bytes calldata) external view returns (bytes4) {
        if (
            operator != address(this)
                && (msg.sender == address(registry)
                    || msg.sender == address(ADD_ONLY_APP_WHITELIST_REGISTRY)
                    || msg.sender == address(this))
        ) {
            return 0;
        }
        return this.onERC721Received.selector;
    }

    /* ---- subscription ---- */

    function setSubscriptionParams(uint256 _collectionTokenId, SubscriptionParams calldata _subscriptionParams)
        external
        onlyOperator(_collectionTokenId)
    {
        collectionDetails[_collectionTokenId].subscriptionParams = _subscriptionParams;
        emit NewSubscriptionParams(_collectionTokenId, _subscriptionParams);
    }

    function setProtectedDataToSubscription(address _protectedData) external onlyDataOperator(_protectedData) {
        checkNotForSale(_protectedData);
        protectedDataDetails[_protectedData].inSubscription = true;
        emit ProtectedDataAddedForSubscription(protectedDataDetails[_protectedData].collection, _protectedData);
    }

    function removeProtectedDataFromSubscription(address _protectedData) external onlyDataOperator(_protectedData) {
        uint256 id = protectedDataDetails[_protectedData].collection;
        checkNoSubscription(id);
        protectedDataDetails[_protectedData].inSubscription = false;
        emit ProtectedDataRemovedFromSubscription(id, _protectedData);
    }

    function subscribeToCollection(uint256 _collectionTokenId, SubscriptionParams calldata _subscriptionParams)
        external
        returns (uint48 endDate)
    {
        return subscribe(msg.sender, _collectionTokenId, _subscriptionParams);
    }

    function subscribe(address payer, uint256 id, SubscriptionParams memory params) private returns (uint48 endDate) {
        CollectionDetails storage c = collectionDetails[id];
        /* The terms the subscriber saw; a collection without a duration has none. */
        if (
            params.duration == 0 || params.price != c.subscriptionParams.price
                || params.duration != c.subscriptionParams.duration
        ) {
            revert InvalidSubscriptionParams(id, params);
        }
        endDate = uint48(block.timestamp) + params.duration;
        c.subscribers[payer] = endDate;
        if (endDate > c.lastSubscriptionExpiration) c.lastSubscriptionExpiration = endDate;
        emit NewSubscription(id, payer, endDate);
        pay(payer, ownerOf(id), params.price);
    }

    function getCollectionSubscriber(uint256 _collectionTokenId, address _subscriberAddress)
        external
        view
        returns (uint48)
    {
        return collectionDetails[_collectionTokenId].subscribers[_subscriberAddress];
    }

    /* ---- renting ---- */

    function setProtectedDataToRenting(address _protectedData, RentingParams calldata _rentingParams)
        external
        onlyDataOperator(_protectedData)
    {
        checkNotForSale(_protectedData);
        if (_rentingParams.duration == 0) revert DurationInvalid(0);
        protectedDataDetails[_protectedData].rentingParams = _rentingParams;
        emit ProtectedDataAddedForRenting(
            protectedDataDetails[_protectedData].collection, _protectedData, _rentingParams
        );
    }

    function removeProtectedDataFromRenting(address _protectedData) external onlyDataOperator(_protectedData) {
        protectedDataDetails[_protectedData].rentingParams.duration = 0;
        emit ProtectedDataRemovedFromRenting(protectedDataDetails[_protectedData].collection, _protectedData);
    }

    function rentProtectedData(address _protectedData, RentingParams calldata _rentingParams)
        external
        returns (uint48 endDate)
    {
        return rent(msg.sender, _protectedData, _rentingParams);
    }

    function rent(address payer, address data, RentingParams memory params) private returns (uint48 endDate) {
        ProtectedDataDetails storage d = protectedDataDetails[data];
        if (d.rentingParams.duration == 0) revert ProtectedDataNotAvailableForRenting(data);
        if (params.price != d.rentingParams.price || params.duration != d.rentingParams.duration) {
            revert InvalidRentingParams(data, params);
        }
        endDate = uint48(block.timestamp) + params.duration;
        d.renters[payer] = endDate;
        if (endDate > d.lastRentalExpiration) d.lastRentalExpiration = endDate;
        emit NewRental(d.collection, data, payer, endDate);
        pay(payer, ownerOf(d.collection), params.price);
    }

    function getProtectedDataRenter(address _protectedData, address _renterAddress) external view returns (uint48) {
        return protectedDataDetails[_protectedData].renters[_renterAddress];
    }

    /* ---- sale ---- */

    function setProtectedDataForSale(address _protectedData, uint72 _price) external onlyDataOperator(_protectedData) {
        ProtectedDataDetails storage d = protectedDataDetails[_protectedData];
        checkNotRented(_protectedData);
        if (d.inSubscription) revert ProtectedDataAvailableInSubscription(d.collection, _protectedData);
        if (d.rentingParams.duration != 0) revert ProtectedDataAvailableForRenting(d.collection, _protectedData);
        d.sellingParams = SellingParams(true, _price);
        emit ProtectedDataAddedForSale(d.collection, _protectedData, _price);
    }

    function removeProtectedDataForSale(address _protectedData) external onlyDataOperator(_protectedData) {
        protectedDataDetails[_protectedData].sellingParams.isForSale = false;
        emit ProtectedDataRemovedFromSale(protectedDataDetails[_protectedData].collection, _protectedData);
    }

    function buyProtectedData(address _protectedData, address _to, uint72 _price) external {
        buy(msg.sender, _protectedData, _to, _price);
    }

    function buy(address payer, address data, address to, uint72 price) private {
        ProtectedDataDetails storage d = protectedDataDetails[data];
        if (!d.sellingParams.isForSale) revert ProtectedDataNotForSale(data);
        if (price != d.sellingParams.price) revert InvalidPriceForPurchase(data, price);
        uint256 id = d.collection;
        release(data, id);
        emit ProtectedDataSold(id, to, data);
        pay(payer, ownerOf(id), price);
        registry.safeTransferFrom(address(this), to, uint160(data));
    }

    /* ---- money ---- */

    function pay(address from, address to, uint256 amount) private {
        if (amount != 0) require(hub.transferFrom(from, to, amount));
    }

    /* The hub's approveAndCall: allowance and subscription, rental or purchase in one transaction. */
    function receiveApproval(address _sender, uint256, address, bytes calldata _extraData) external returns (bool) {
        if (msg.sender != address(hub)) revert OnlyPocoCallerAuthorized(msg.sender);
        if (_extraData.length == 0) revert EmptyCallData();
        bytes4 selector = bytes4(_extraData[:4]);
        bytes calldata args = _extraData[4:];
        if (selector == this.subscribeToCollection.selector) {
            (uint256 id, SubscriptionParams memory params) = abi.decode(args, (uint256, SubscriptionParams));
            subscribe(_sender, id, params);
        } else if (selector == this.rentProtectedData.selector) {
            (address data, RentingParams memory params) = abi.decode(args, (address, RentingParams));
            rent(_sender, data, params);
        } else if (selector == this.buyProtectedData.selector) {
            (address data, address to, uint72 price) = abi.decode(args, (address, address, uint72));
            buy(_sender, data, to, price);
        } else {
            return false;
        }
        return true;
    }

    /* ---- use ---- */

    function consumeProtectedData(address _protectedData, WorkerpoolOrder calldata _workerpoolOrder, address _app)
        external
        returns (bytes32 dealid)
    {
        if (_workerpoolOrder.workerpoolprice != 0) revert WorkerpoolOrderNotFree(_workerpoolOrder);
        ProtectedDataDetails storage d = protectedDataDetails[_protectedData];
        Mode mode = access(d, _protectedData);
        if (!IAppWhitelist(d.addOnlyAppWhitelist).isRegistered(_app)) {
            revert AppNotWhitelistedForProtectedData(_app);
        }
        AppOrder memory appOrder;
        appOrder.app = _app;
        appOrder.volume = type(uint256).max;
        appOrder.tag = _workerpoolOrder.tag & TAG_TDX == TAG_TDX ? TAG_TDX : TAG_SCONE;
        appOrder.requesterrestrict = address(this);
        hub.manageAppOrder(AppOrderOperation(appOrder, OrderOperation.SIGN, ""));
        RequestOrder memory request = requestOrder(_protectedData, _workerpoolOrder, appOrder);
        hub.manageRequestOrder(RequestOrderOperation(request, OrderOperation.SIGN, ""));
        dealid = hub.matchOrders(appOrder, dataOrder(_protectedData, d.addOnlyAppWhitelist), _workerpoolOrder, request);
        emit ProtectedDataConsumed(dealid, _protectedData, mode);
    }

    function access(ProtectedDataDetails storage d, address data) private view returns (Mode) {
        if (d.renters[msg.sender] >= block.timestamp) return Mode.RENTING;
        if (d.inSubscription && collectionDetails[d.collection].subscribers[msg.sender] >= block.timestamp) {
            return Mode.SUBSCRIPTION;
        }
        revert NoValidRentalOrSubscription(d.collection, data);
    }

    /* The order that stands for data in a collection, signed when it comes in. */
    function dataOrder(address data, address whitelist) private view returns (DatasetOrder memory order) {
        order.dataset = data;
        order.volume = type(uint256).max;
        order.tag = TAG_TDX;
        order.apprestrict = whitelist;
        order.requesterrestrict = address(this);
    }

    function requestOrder(address data, WorkerpoolOrder calldata pool, AppOrder memory app)
        private
        returns (RequestOrder memory order)
    {
        order.app = app.app;
        order.dataset = data;
        order.workerpool = pool.workerpool;
        order.requester = address(this);
        order.volume = 1;
        order.tag = app.tag;
        order.category = pool.category;
        order.beneficiary = msg.sender;
        order.params = string.concat(
            "{\"iexec_result_encryption\":true,\"iexec_result_storage_provider\":\"", resultStorage, "\"}"
        );
        order.salt = bytes32(++lastSalt);
    }
}
